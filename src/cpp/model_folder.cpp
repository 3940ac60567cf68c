#include "model_folder.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "errors.h"
#include "files.h"
#include "yaml_document.h"

namespace scenetext {
namespace {

constexpr std::uintmax_t kMostSettingsBytes = 8'000'000;
constexpr std::uintmax_t kMostModelBytes = 4'000'000'000;
constexpr int kLargestSide = 10'000;
constexpr std::size_t kMostCharacterBytes = 400;  // 100 code points; clusters of Indic scripts have 10
constexpr std::size_t kShownBytes = 200;
const std::string kSettings = "inference.yml";
const std::string kChecksums = "Checksums";

std::string shown(const std::string& text) {
    return "'" + (text.size() <= kShownBytes ? text : text.substr(0, kShownBytes) + "…") + "'";
}

const YamlNode& look_up(const YamlDocument& document, const std::string& section, const std::string& key) {
    const YamlNode* found = document.root().find(section);
    const YamlNode* value = found != nullptr ? found->find(key) : nullptr;
    if (value == nullptr) {
        throw InputError(document.location() + " lacks " + section + "." + key +
                         "; a folder that `scenetext export` writes has it.");
    }
    return *value;
}

std::optional<int> whole_number(const YamlNode& node) {
    const std::string text = node.is_scalar() ? node.text() : "";
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Canvas read_canvas(const YamlDocument& document) {
    for (const YamlNode* operation : look_up(document, "PreProcess", "transform_ops").items()) {
        for (const std::string name : {"RecResizeImg", "SVTRRecResizeImg"}) {
            const YamlNode* options = operation->find(name);
            const YamlNode* shape = options != nullptr ? options->find("image_shape") : nullptr;
            if (shape == nullptr) {
                continue;
            }
            std::vector<int> sides;
            for (const YamlNode* side : shape->items()) {
                sides.push_back(whole_number(*side).value_or(0));
            }
            const auto is_wrong = [](int side) { return side < 1 || side > kLargestSide; };
            if (sides.size() != 3 || sides[0] != 3 || std::ranges::any_of(sides, is_wrong)) {
                throw InputError(document.location() + ": PreProcess.transform_ops." + name +
                                 ".image_shape must be a list of 3 whole numbers: 3 channels, a height and a width "
                                 "from 1 to " +
                                 std::to_string(kLargestSide) + ".");
            }
            const bool fixed = name == "SVTRRecResizeImg";
            const YamlNode* padding = options->find("padding");
            return {sides[1], sides[2], fixed, fixed && padding != nullptr && padding->is_false()};
        }
    }
    throw InputError(document.location() +
                     " has no PreProcess.transform_ops.RecResizeImg.image_shape of three numbers.");
}

Decoding read_decoding(const YamlDocument& document) {
    const std::string name = look_up(document, "PostProcess", "name").text();
    if (name == "CTCLabelDecode") {
        return Decoding::ctc;
    }
    if (name == "AttnLabelDecode") {
        return Decoding::attention;
    }
    const std::string detector = name == "DBPostProcess" ? " It is a detector's; give a recogniser's folder." : "";
    throw InputError(document.location() + " names the decoder PostProcess.name " + shown(name) +
                     "; CTCLabelDecode and AttnLabelDecode are known." + detector);
}

std::vector<std::string> read_characters(const YamlDocument& document) {
    const YamlNode& list = look_up(document, "PostProcess", "character_dict");
    if (!list.is_list()) {
        throw InputError(document.location() + ": PostProcess.character_dict is " + shown(list.text()) +
                         ", not a list of characters.");
    }
    std::vector<std::string> characters;
    for (const YamlNode* item : list.items()) {
        const std::string& character = item->text();
        if (!item->is_scalar() || character.size() > kMostCharacterBytes) {
            throw InputError(document.location() + ": PostProcess.character_dict holds " + shown(character) +
                             ", which is no character.");
        }
        characters.push_back(character);
    }
    characters.emplace_back(" ");  // which every reader appends
    return characters;
}

void check_files(const std::filesystem::path& folder, const YamlDocument& document) {
    const YamlNode* checksums = document.root().find(kChecksums);
    for (std::size_t at = 0; checksums != nullptr && at + 1 < checksums->items().size(); at += 2) {
        const std::string& name = checksums->items()[at]->text();
        const std::filesystem::path path = folder / std::filesystem::path(name).filename();
        if (!std::filesystem::is_regular_file(path)) {
            continue;  // of another format than the one that is read
        }
        std::string expected = checksums->items()[at + 1]->text();
        std::ranges::transform(expected, expected.begin(), [](unsigned char c) { return std::tolower(c); });
        if (sha256(read_file(path, kMostModelBytes, path.string())) != expected) {
            throw InputError(path.string() +
                             " is not the file that was exported: its SHA-256 differs from the one under " + kChecksums +
                             " in " + kSettings + "; copy the folder again, or export again.");
        }
    }
}

std::filesystem::path find_program(const std::filesystem::path& folder, const std::vector<std::string>& programs) {
    for (const std::string& name : programs) {
        if (std::filesystem::is_regular_file(folder / name)) {
            return folder / name;
        }
    }
    std::string known;
    for (const std::string& name : programs) {
        known += (known.empty() ? "" : " and no ") + name;
    }
    const std::string other = std::filesystem::exists(folder / "inference.json")
                                  ? " It holds inference.json, which only Paddle reads: export with --format onnx."
                                  : "";
    throw InputError(folder.string() + " holds no " + known + "." + other);
}

}  // namespace

ModelFolder read_model_folder(const std::filesystem::path& folder, const std::vector<std::string>& programs) {
    if (!std::filesystem::is_directory(folder)) {
        throw InputError("The model folder " + folder.string() +
                         " does not exist: give a folder that `scenetext export` wrote.");
    }
    const std::filesystem::path path = folder / kSettings;
    if (!std::filesystem::exists(path)) {
        throw InputError(folder.string() + " holds no " + kSettings + ": give a folder that `scenetext export` wrote.");
    }
    const YamlDocument document(read_file(path, kMostSettingsBytes, path.string()), path.string());
    ModelFolder model;
    model.decoding = read_decoding(document);
    model.canvas = read_canvas(document);
    model.characters = read_characters(document);
    model.program = find_program(folder, programs);
    check_files(folder, document);
    return model;
}

}  // namespace scenetext
