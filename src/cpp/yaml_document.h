// A YAML document by libyaml, the parser that Python's reader of `inference.yml` uses, too: scalars stay as they are
// written, and aliases point at the node that they name. Depth and number of values are bounded while it is read.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "files.h"

namespace scenetext {

/// A value of a document.
class YamlNode {
public:
    enum class Kind { scalar, list, mapping };

    YamlNode(Kind kind, std::string text, bool is_plain) : kind_(kind), text_(std::move(text)), is_plain_(is_plain) {}

    bool is_scalar() const { return kind_ == Kind::scalar; }
    bool is_list() const { return kind_ == Kind::list; }

    /// Whether it is nothing: an empty, `~` or `null` scalar without quotes.
    bool is_null() const;

    /// Whether it is a scalar without quotes that means false.
    bool is_false() const;

    /// A scalar's text as it is written; "a list" or "a mapping".
    const std::string& text() const { return text_; }

    /// The value of a mapping's key; null where it is no mapping, lacks the key or has nothing there.
    ///
    /// Throws: InputError where the key stands there twice.
    const YamlNode* find(const std::string& key) const;

    /// The items of a list, or the keys and values of a mapping by turns.
    const std::vector<const YamlNode*>& items() const { return items_; }

    void add(const YamlNode* item) { items_.push_back(item); }

private:
    Kind kind_;
    std::string text_;
    bool is_plain_;  ///< a scalar without quotes
    std::vector<const YamlNode*> items_;
};

/// One YAML document; its nodes live as long as it does.
class YamlDocument {
public:
    /// Args:
    ///     location: what messages call the document.
    ///
    /// Throws: InputError where it is no YAML, empty, more than one document, or larger or deeper than any settings.
    YamlDocument(const Bytes& text, std::string location);

    const YamlNode& root() const { return nodes_.front(); }
    const std::string& location() const { return location_; }

private:
    std::deque<YamlNode> nodes_;  // whose addresses stay as it grows
    std::string location_;
};

}  // namespace scenetext
