#include "yaml_document.h"

#include <yaml.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string_view>

#include "errors.h"

namespace scenetext {
namespace {

constexpr std::size_t kMostValues = 100'000;
constexpr std::size_t kMostDepth = 60;  // lists and mappings inside each other

using Event = std::unique_ptr<yaml_event_t, void (*)(yaml_event_t*)>;

/// libyaml's parser of one text, event by event.
class Events {
public:
    Events(const Bytes& text, const std::string& location) : location_(location) {
        if (yaml_parser_initialize(&parser_) == 0) {
            throw RunError("libyaml cannot be started.");
        }
        yaml_parser_set_input_string(&parser_, text.empty() ? &kNothing : text.data(), text.size());
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    }
    ~Events() { yaml_parser_delete(&parser_); }
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;

    Event next() {
        auto* event = new yaml_event_t{};
        Event owner(event, [](yaml_event_t* owned) {
            yaml_event_delete(owned);
            delete owned;
        });
        if (yaml_parser_parse(&parser_, event) == 0) {
            const bool has_reason = parser_.problem != nullptr;
            throw wrong(std::string("this is not valid YAML (") + (has_reason ? parser_.problem : "no memory") + ").");
        }
        return owner;
    }

    /// An error with the location of what was read last.
    InputError wrong(const std::string& reason) const {
        const std::size_t line = std::max(parser_.problem_mark.line, parser_.mark.line) + 1;
        return InputError(location_ + ":" + std::to_string(line) + ": " + reason);
    }

private:
    static constexpr unsigned char kNothing = 0;
    yaml_parser_t parser_{};
    const std::string& location_;
};

std::string text_of(const yaml_char_t* text) { return text == nullptr ? "" : reinterpret_cast<const char*>(text); }

/// The node that an event begins, and its anchor.
std::pair<YamlNode, std::string> node_of(const yaml_event_t& event) {
    if (event.type == YAML_SEQUENCE_START_EVENT) {
        return {{YamlNode::Kind::list, "a list", false}, text_of(event.data.sequence_start.anchor)};
    }
    if (event.type == YAML_MAPPING_START_EVENT) {
        return {{YamlNode::Kind::mapping, "a mapping", false}, text_of(event.data.mapping_start.anchor)};
    }
    const auto& scalar = event.data.scalar;
    return {{YamlNode::Kind::scalar,
             {reinterpret_cast<const char*>(scalar.value), scalar.length},
             scalar.style == YAML_PLAIN_SCALAR_STYLE},
            text_of(scalar.anchor)};
}

}  // namespace

YamlDocument::YamlDocument(const Bytes& text, std::string location) : location_(std::move(location)) {
    Events events(text, location_);
    std::vector<YamlNode*> open;
    std::map<std::string, const YamlNode*> anchors;
    for (Event event = events.next(); event->type != YAML_STREAM_END_EVENT; event = events.next()) {
        const yaml_event_type_t type = event->type;
        if (type == YAML_DOCUMENT_START_EVENT && !nodes_.empty()) {
            throw events.wrong("a second document begins here: keep one in each file.");
        }
        if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT) {
            open.pop_back();
        } else if (type == YAML_ALIAS_EVENT) {
            const auto anchor = anchors.find(text_of(event->data.alias.anchor));
            if (anchor == anchors.end() || open.empty()) {
                throw events.wrong("this alias names no anchor above it.");
            }
            open.back()->add(anchor->second);
        } else if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) {
            auto [node, anchor] = node_of(*event);
            YamlNode& added = nodes_.emplace_back(std::move(node));
            if (!open.empty()) {
                open.back()->add(&added);
            }
            if (!anchor.empty()) {
                anchors[anchor] = &added;
            }
            if (!added.is_scalar()) {
                open.push_back(&added);
            }
        }
        if (nodes_.size() > kMostValues || open.size() > kMostDepth) {
            throw events.wrong("the values are too many, or nested too deeply, for such a file.");
        }
    }
    if (nodes_.empty()) {
        throw InputError(location_ + " is empty.");
    }
}

bool YamlNode::is_null() const {
    constexpr std::array<std::string_view, 5> words{"", "~", "null", "Null", "NULL"};
    return is_plain_ && std::ranges::find(words, text_) != words.end();
}

bool YamlNode::is_false() const {
    constexpr std::array<std::string_view, 3> words{"false", "no", "off"};
    std::string word = text_;
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return is_plain_ && std::ranges::find(words, word) != words.end();
}

const YamlNode* YamlNode::find(const std::string& key) const {
    const YamlNode* found = nullptr;
    for (std::size_t at = 0; kind_ == Kind::mapping && at + 1 < items_.size(); at += 2) {
        if (items_[at]->is_scalar() && items_[at]->text() == key) {
            if (found != nullptr) {
                throw InputError("inference.yml holds the key " + key + " twice: keep one.");
            }
            found = items_[at + 1];
        }
    }
    return found == nullptr || found->is_null() ? nullptr : found;
}

}  // namespace scenetext
