#include "yaml_document.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "errors.h"

namespace scenetext {
namespace {

struct ParserDeleter {
    void operator()(yaml_parser_t* parser) const {
        yaml_parser_delete(parser);
        delete parser;
    }
};

InputError not_yaml(const yaml_parser_t& parser, const std::string& location) {
    const std::string line = std::to_string(parser.problem_mark.line + 1);
    return InputError(location + ":" + line + ": this is not valid YAML (" +
                      (parser.problem != nullptr ? parser.problem : "no memory") + ").");
}

template <std::size_t N>
bool is_one_of(const std::string& text, const std::array<std::string_view, N>& words) {
    return std::ranges::find(words, text) != words.end();
}

}  // namespace

YamlDocument::YamlDocument(const Bytes& text, const std::string& location) : location_(location) {
    auto parser = std::unique_ptr<yaml_parser_t, ParserDeleter>(new yaml_parser_t{});
    if (yaml_parser_initialize(parser.get()) == 0) {
        throw RunError("libyaml cannot be started.");
    }
    yaml_parser_set_input_string(parser.get(), text.data(), text.size());
    yaml_parser_set_encoding(parser.get(), YAML_UTF8_ENCODING);
    if (yaml_parser_load(parser.get(), &document_) == 0) {
        throw not_yaml(*parser, location);
    }
    yaml_document_t second{};
    const bool is_yaml = yaml_parser_load(parser.get(), &second) != 0;
    const bool has_second = is_yaml && yaml_document_get_root_node(&second) != nullptr;
    if (is_yaml) {
        yaml_document_delete(&second);
    }
    if (is_yaml && !has_second && yaml_document_get_root_node(&document_) != nullptr) {
        return;
    }
    yaml_document_delete(&document_);  // no destructor runs for an object that was not finished
    if (!is_yaml) {
        throw not_yaml(*parser, location);
    }
    throw InputError(location + (has_second ? " holds several documents: keep one in each file." : " is empty."));
}

YamlNode YamlDocument::root() const { return {*this, *yaml_document_get_root_node(&document_)}; }

YamlNode YamlDocument::node(int index) const { return {*this, *yaml_document_get_node(&document_, index)}; }

std::string YamlNode::plain() const {
    return is_scalar() && node_->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? text() : "'";
}

bool YamlNode::is_null() const {
    return is_one_of(plain(), std::array<std::string_view, 5>{"", "~", "null", "Null", "NULL"});
}

bool YamlNode::is_false() const {
    std::string word = plain();
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return is_one_of(word, std::array<std::string_view, 3>{"false", "no", "off"});
}

std::string YamlNode::text() const {
    if (!is_scalar()) {
        return is_mapping() ? "a mapping" : "a list";
    }
    return {reinterpret_cast<const char*>(node_->data.scalar.value), node_->data.scalar.length};
}

std::optional<YamlNode> YamlNode::find(const std::string& key) const {
    std::optional<YamlNode> found;
    for (const auto& [name, value] : pairs()) {
        if (name.is_scalar() && name.text() == key) {
            if (found) {
                throw InputError(document_->location() + " holds the key " + key + " twice: keep one.");
            }
            found = value;
        }
    }
    return found && found->is_null() ? std::nullopt : found;
}

std::vector<YamlNode> YamlNode::items() const {
    std::vector<YamlNode> nodes;
    if (is_list()) {
        for (const auto* item = node_->data.sequence.items.start; item != node_->data.sequence.items.top; ++item) {
            nodes.push_back(document_->node(*item));
        }
    }
    return nodes;
}

std::vector<std::pair<YamlNode, YamlNode>> YamlNode::pairs() const {
    std::vector<std::pair<YamlNode, YamlNode>> found;
    if (is_mapping()) {
        for (const auto* pair = node_->data.mapping.pairs.start; pair != node_->data.mapping.pairs.top; ++pair) {
            found.emplace_back(document_->node(pair->key), document_->node(pair->value));
        }
    }
    return found;
}

}  // namespace scenetext
