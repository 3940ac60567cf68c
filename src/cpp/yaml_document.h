// A YAML document by libyaml, the parser that Python's reader of `inference.yml` uses, too: scalars stay as they are
// written, and aliases point at the node that they name, so that none is multiplied.
#pragma once

#include <yaml.h>

#include <optional>
#include <string>
#include <vector>

#include "files.h"

namespace scenetext {

class YamlDocument;

/// A value inside a document, which has to outlive it.
class YamlNode {
public:
    YamlNode(const YamlDocument& document, const yaml_node_t& node) : document_(&document), node_(&node) {}

    bool is_mapping() const { return node_->type == YAML_MAPPING_NODE; }
    bool is_list() const { return node_->type == YAML_SEQUENCE_NODE; }
    bool is_scalar() const { return node_->type == YAML_SCALAR_NODE; }

    /// Whether it is nothing: an empty, `~` or `null` scalar without quotes.
    bool is_null() const;

    /// Whether it is a scalar without quotes that means false.
    bool is_false() const;

    /// A scalar's text as it is written; a short description of anything else.
    std::string text() const;

    /// The value of a mapping's key; none where it is no mapping, lacks the key or has nothing there.
    ///
    /// Throws: InputError where the key stands there twice.
    std::optional<YamlNode> find(const std::string& key) const;

    /// The items of a list; none of anything else.
    std::vector<YamlNode> items() const;

    /// Keys and values of a mapping; none of anything else.
    std::vector<std::pair<YamlNode, YamlNode>> pairs() const;

private:
    std::string plain() const;

    const YamlDocument* document_;
    const yaml_node_t* node_;
};

/// One YAML document.
class YamlDocument {
public:
    /// Args:
    ///     location: what messages call the document.
    ///
    /// Throws: InputError where it is no YAML, empty, or more than one document.
    YamlDocument(const Bytes& text, const std::string& location);
    ~YamlDocument() { yaml_document_delete(&document_); }
    YamlDocument(const YamlDocument&) = delete;
    YamlDocument& operator=(const YamlDocument&) = delete;

    YamlNode root() const;
    YamlNode node(int index) const;
    const std::string& location() const { return location_; }

private:
    mutable yaml_document_t document_{};  // libyaml's functions that only read take it as one that they may change
    std::string location_;
};

}  // namespace scenetext
