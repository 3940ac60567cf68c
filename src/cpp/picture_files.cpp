#include "picture_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "errors.h"
#include "shown_name.h"

namespace scenetext {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 8> kSuffixes{".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"};

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

bool is_junk(const std::string& name) { return name == "__MACOSX" || name.starts_with('.'); }

bool has_picture_suffix(const std::string& name) {
    const std::string end = lower(name);
    return std::ranges::any_of(kSuffixes, [&](std::string_view suffix) { return end.ends_with(suffix); });
}

std::string shown_path(const fs::path& path) {
    std::string shown;
    const std::string& raw = path.native();
    for (std::size_t start = 0; start <= raw.size();) {
        const std::size_t end = std::min(raw.find('/', start), raw.size());
        shown.append(start > 0 ? "/" : "").append(shown_name(std::string_view(raw).substr(start, end - start)));
        start = end + 1;
    }
    return shown;
}

/// One walk through a folder; links are followed, and no folder is visited twice, so that loops of links end.
class Walk {
public:
    explicit Walk(fs::path root) : root_(std::move(root)), real_root_(fs::canonical(root_)) { enter(root_); }

    void visit(const fs::path& folder, const std::string& prefix, PictureFiles& found) {
        std::vector<std::pair<std::string, fs::path>> folders;
        std::error_code error;
        for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
             entry.increment(error)) {
            const std::string raw = entry->path().filename();
            const std::string name = prefix + shown_name(raw);
            std::error_code broken;  // a link that leads nowhere stays, so that reading names it
            if (entry->is_directory(broken)) {
                folders.emplace_back(name + "/", entry->path());
            } else if (!is_junk(raw) && has_picture_suffix(raw) &&
                       (entry->is_symlink() || entry->is_regular_file(broken))) {
                found.files.push_back({name, shown_path(root_) + "/" + name, entry->path()});
            } else {
                found.passed_over.push_back(name);
            }
        }
        if (error) {
            throw InputError(shown_path(folder) + " cannot be listed: " + error.message() + "; allow it or remove it.");
        }
        std::ranges::sort(folders, {}, [](const auto& each) { return natural_key(each.first); });
        for (const auto& [name, path] : folders) {
            if (is_junk(path.filename()) || (fs::is_symlink(path) && is_below_root(path)) || !enter(path)) {
                found.passed_over.push_back(name);
            } else {
                visit(path, name, found);
            }
        }
    }

private:
    /// Whether a linked folder lies below the root, where the walk comes without links.
    bool is_below_root(const fs::path& link) const {
        const fs::path real = fs::canonical(link);
        return std::ranges::mismatch(real_root_, real).in1 == real_root_.end();
    }

    bool enter(const fs::path& folder) {
        struct stat status {};
        return ::stat(folder.c_str(), &status) == 0 && visited_.emplace(status.st_dev, status.st_ino).second;
    }

    fs::path root_;
    fs::path real_root_;
    std::set<std::pair<dev_t, ino_t>> visited_;
};

}  // namespace

PictureFiles find_pictures(const fs::path& path) {
    PictureFiles found;
    if (fs::is_directory(path)) {
        Walk(path).visit(path, "", found);
        std::ranges::sort(found.files, {}, [](const PictureFile& file) { return natural_key(file.name); });
        if (found.files.empty()) {
            throw InputError("There are no images in " + shown_path(path) + ".");
        }
        return found;
    }
    if (!fs::is_regular_file(path)) {
        throw InputError(shown_path(path) + " does not exist or is no file; give a folder or a picture.");
    }
    if (!has_picture_suffix(path) || is_junk(path.filename())) {
        throw InputError(shown_path(path) + " is no picture; give a folder or a picture: unpack archives before, or use "
                                            "`scenetext predict`, which reads them.");
    }
    found.files.push_back({shown_name(path.filename().native()), shown_path(path), path});
    return found;
}

std::string natural_key(const std::string& name) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::string key;
    for (std::size_t at = 0; at < name.size();) {
        if (!is_digit(name[at])) {
            key += name[at++];
            continue;
        }
        const std::size_t start = std::min(name.find_first_not_of('0', at), name.size());
        std::size_t end = start;
        while (end < name.size() && is_digit(name[end])) {
            ++end;
        }
        // a zero, how many digits the number has, in two bytes that are never zero, and the digits
        const std::size_t digits = std::min<std::size_t>(end - start, 127 * 127);
        key += {'\0', static_cast<char>(1 + digits / 127), static_cast<char>(1 + digits % 127)};
        key += name.substr(start, end - start);
        at = end;
    }
    return key + std::string(2, '\0') + name;
}

}  // namespace scenetext
