#include "shown_name.h"

#include <iconv.h>

#include <memory>
#include <optional>

namespace scenetext {
namespace {

struct Character {
    std::size_t bytes = 1;
    bool is_showable = false;
};

/// The UTF-8 character at the start of a text; one byte that is not showable where there is none.
Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {1, lead >= 0x20 && lead != 0x7F};
    }
    const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) {
        return {};
    }
    char32_t code = lead & (0x7FU >> bytes);
    for (std::size_t at = 1; at < bytes; ++at) {
        if ((byte(at) & 0xC0) != 0x80) {
            return {};
        }
        code = code << 6 | (byte(at) & 0x3F);
    }
    const bool is_overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    if (is_overlong || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return {};
    }
    return {bytes, code > 0x9F && code != 0x2028 && code != 0x2029};
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const Character character = first_character(text);
        if (character.bytes == 1 && static_cast<unsigned char>(text[0]) >= 0x80) {
            return false;
        }
        text.remove_prefix(character.bytes);
    }
    return true;
}

std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string result;
    while (!text.empty()) {
        const Character character = first_character(text);
        for (std::size_t at = 0; at < character.bytes; ++at) {
            const auto byte = static_cast<unsigned char>(text[at]);
            if (character.is_showable) {
                result += text[at];
            } else {
                result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            }
        }
        text.remove_prefix(character.bytes);
    }
    return result;
}

std::optional<std::string> converted(std::string text, const char* from, const char* to) {
    const iconv_t converter = iconv_open(to, from);
    if (converter == reinterpret_cast<iconv_t>(-1)) {  // a system without the tables of GB18030
        return std::nullopt;
    }
    const std::unique_ptr<void, int (*)(iconv_t)> closing(converter, iconv_close);
    std::string result(4 * text.size(), '\0');
    char* input = text.data();
    char* output = result.data();
    std::size_t input_left = text.size();
    std::size_t output_left = result.size();
    if (iconv(converter, &input, &input_left, &output, &output_left) == static_cast<std::size_t>(-1)) {
        return std::nullopt;
    }
    result.resize(result.size() - output_left);
    return result;
}

}  // namespace

std::string shown_name(std::string_view raw) {
    if (!is_utf8(raw)) {
        const auto text = converted(std::string(raw), "GB18030", "UTF-8");
        if (text && escaped(*text) == *text && converted(*text, "UTF-8", "GB18030") == raw) {
            return *text;
        }
    }
    return escaped(raw);
}

}  // namespace scenetext
