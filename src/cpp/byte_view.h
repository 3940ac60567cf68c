// Numbers and marks inside a file's bytes; beyond the end there are zeros, so that no header reads past it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

namespace scenetext {

class ByteView {
public:
    static constexpr std::size_t npos = std::string_view::npos;

    explicit ByteView(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::size_t size() const { return bytes_.size(); }
    const std::uint8_t* data() const { return bytes_.data(); }

    /// The unsigned number of up to 4 bytes, the most significant byte first.
    std::uint32_t big(std::size_t at, std::size_t count) const {
        std::uint32_t number = 0;
        for (std::size_t index = at; index < at + count; ++index) {
            number = number << 8 | byte(index);
        }
        return number;
    }

    /// The unsigned number of up to 4 bytes, the least significant byte first.
    std::uint32_t little(std::size_t at, std::size_t count) const {
        std::uint32_t number = 0;
        for (std::size_t index = at + count; index > at; --index) {
            number = number << 8 | byte(index - 1);
        }
        return number;
    }

    /// The signed number of 4 bytes, the least significant byte first.
    std::int64_t little_signed(std::size_t at) const { return static_cast<std::int32_t>(little(at, 4)); }

    /// Whether these bytes stand there.
    bool has(std::size_t at, std::string_view mark) const {
        return at <= size() && text().substr(at).starts_with(mark);
    }

    /// Where these bytes stand first from a position on; npos where they do not.
    std::size_t find(std::string_view mark, std::size_t from) const { return text().find(mark, from); }

    /// The bytes from one position to before another, as far as there are any.
    ByteView part(std::size_t from, std::size_t to) const {
        const std::size_t start = std::min(from, size());
        return ByteView(bytes_.subspan(start, std::min(std::max(to, start), size()) - start));
    }

private:
    std::uint8_t byte(std::size_t at) const { return at < size() ? bytes_[at] : 0; }
    std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

    std::span<const std::uint8_t> bytes_;
};

}  // namespace scenetext
