#include "picture_header.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "byte_view.h"
#include "errors.h"
#include "exif.h"

namespace scenetext {
namespace {

constexpr std::int64_t kMostPixels = 50'000'000;
constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpeg = "\xff\xd8";
constexpr std::string_view kJpegEnd = "\xff\xd9";
constexpr std::string_view kExifStart{"Exif\0\0", 6};

InputError truncated(const ByteView& bytes, const std::string& location) {
    return InputError(location + " is a truncated image (" + std::to_string(bytes.size()) + " bytes).");
}

InputError not_readable(const ByteView& bytes, const std::string& location) {
    return InputError(location + " is no image that can be read (" + std::to_string(bytes.size()) + " bytes).");
}

InputError not_supported(const std::string& kind, const std::string& location) {
    return InputError(location + " is " + kind +
                      ", which this program does not read: convert it to a plain PNG, or use `scenetext predict`.");
}

bool is_frame(int marker) {
    return marker >= 0xC0 && marker < 0xD0 && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool is_segment(int marker) {  // one that may stand before the pixels
    return is_frame(marker) || marker == 0xC4 || marker == 0xDB || marker == 0xDD || marker == 0xFE ||
           (marker >= 0xE0 && marker < 0xF0);
}

PictureHeader read_jpeg(const ByteView& bytes, const std::string& location) {
    PictureHeader header;
    std::optional<int> orientation;
    std::size_t at = kJpeg.size();
    while (at + 9 <= bytes.size() && bytes.big(at, 1) == 0xFF) {
        const int marker = static_cast<int>(bytes.big(at + 1, 1));
        if (marker == 0xFF) {  // a fill byte
            ++at;
            continue;
        }
        if (!is_segment(marker)) {
            break;
        }
        const std::size_t end = at + 2 + bytes.big(at + 2, 2);
        if (is_frame(marker)) {
            header.height_px = bytes.big(at + 5, 2);
            header.width_px = bytes.big(at + 7, 2);
        } else if (marker == 0xE1 && !orientation) {  // OpenCV, too, looks into the first such segment alone
            const bool is_exif = bytes.has(at + 4, kExifStart);
            orientation = is_exif ? exif_orientation(bytes.part(at + 10, end)) : kUpright;
        }
        at = end;
    }
    header.orientation = orientation.value_or(kUpright);
    // a thumbnail in an EXIF segment has an end marker of its own, so only what follows the segments counts
    if (bytes.find(kJpegEnd, std::min(at, bytes.size())) == ByteView::npos) {
        throw truncated(bytes, location);
    }
    return header;
}

PictureHeader read_png(const ByteView& bytes, const std::string& location) {
    if (bytes.size() < 33 || !bytes.has(12, "IHDR")) {
        throw not_readable(bytes, location);
    }
    PictureHeader header{bytes.big(16, 4), bytes.big(20, 4)};
    const auto bits = bytes.big(24, 1);
    const auto colour_type = bytes.big(25, 1);
    header.has_alpha = colour_type == 4 || colour_type == 6;
    bool has_end = false;
    for (std::size_t at = kPng.size(); at + 12 <= bytes.size() && !has_end;) {
        const std::size_t end = at + 8 + bytes.big(at, 4);
        if (end + 4 > bytes.size()) {
            break;
        }
        const bool is_critical = bytes.big(at + 4, 1) < 'a';  // what a reader may not pass over
        const auto* kind = bytes.data() + at + 4;
        if (is_critical && crc32(0, kind, static_cast<uInt>(end - at - 4)) != bytes.big(end, 4)) {
            throw InputError(location + " is a damaged image (a checksum in it is wrong).");
        }
        if (bytes.has(at + 4, "eXIf")) {
            header.orientation = exif_orientation(bytes.part(at + 8, end));
        } else if (bytes.has(at + 4, "tRNS")) {
            if (colour_type != 3 && bits <= 8) {
                throw not_supported("a PNG with a transparent colour", location);
            }
            header.has_alpha = true;
        }
        has_end = bytes.has(at + 4, "IEND");
        at = end + 4;
    }
    if (!has_end) {
        throw truncated(bytes, location);
    }
    return header;
}

PictureHeader read_webp(const ByteView& bytes, const std::string& location) {
    const std::size_t end = std::size_t{8} + bytes.little(4, 4);
    if (bytes.size() < end) {
        throw truncated(bytes, location);
    }
    if (bytes.size() < 30) {
        throw not_readable(bytes, location);
    }
    PictureHeader header;
    if (bytes.has(12, "VP8 ")) {
        header.width_px = bytes.little(26, 2) & 0x3FFF;
        header.height_px = bytes.little(28, 2) & 0x3FFF;
    } else if (bytes.has(12, "VP8L")) {
        const auto sides = bytes.little(21, 4);
        header.width_px = (sides & 0x3FFF) + 1;
        header.height_px = (sides >> 14 & 0x3FFF) + 1;
        header.has_alpha = (sides >> 28 & 1) != 0;
    } else if (bytes.has(12, "VP8X")) {
        const auto flags = bytes.big(20, 1);
        if ((flags & 0x02) != 0) {
            throw not_supported("an animation", location);
        }
        header.width_px = std::int64_t{1} + bytes.little(24, 3);
        header.height_px = std::int64_t{1} + bytes.little(27, 3);
        header.has_alpha = (flags & 0x10) != 0;
        for (std::size_t at = 12; at + 8 <= end; at += 8 + (bytes.little(at + 4, 4) + 1) / 2 * 2) {
            if (bytes.has(at, "EXIF")) {
                const ByteView exif = bytes.part(at + 8, at + 8 + bytes.little(at + 4, 4));
                header.orientation = exif_orientation(exif.has(0, kExifStart) ? exif.part(6, exif.size()) : exif);
            }
        }
    }
    return header;
}

PictureHeader read_bmp(const ByteView& bytes, const std::string& location) {
    const auto start = bytes.little(10, 4);
    const auto header_bytes = bytes.little(14, 4);
    const auto bits = bytes.little(28, 2);
    if (bytes.size() < 34 || header_bytes < 40) {
        throw bytes.size() < 34 ? truncated(bytes, location) : not_supported("a BMP of OS/2", location);
    }
    PictureHeader header{bytes.little_signed(18), std::abs(bytes.little_signed(22))};
    if (bytes.little(30, 4) != 0 || (bits == 32 && header_bytes != 40)) {
        throw not_supported("a BMP that is compressed or has transparency", location);
    }
    const std::int64_t row_bytes = (std::abs(header.width_px) * std::int64_t{bits} + 31) / 32 * 4;
    if (static_cast<std::int64_t>(bytes.size()) < std::int64_t{start} + row_bytes * header.height_px) {
        throw truncated(bytes, location);
    }
    return header;
}

PictureHeader read_header(const ByteView& bytes, const std::string& location) {
    if (bytes.has(0, kJpeg)) {
        return read_jpeg(bytes, location);
    }
    if (bytes.has(0, kPng)) {
        return read_png(bytes, location);
    }
    if (bytes.has(0, "RIFF") && bytes.has(8, "WEBP")) {
        return read_webp(bytes, location);
    }
    if (bytes.has(0, "BM")) {
        return read_bmp(bytes, location);
    }
    if (bytes.has(0, "GIF8")) {
        throw not_supported("a GIF", location);
    }
    if (bytes.has(0, "II*") || bytes.has(0, "MM")) {
        throw not_supported("a TIFF", location);
    }
    throw not_readable(bytes, location);
}

}  // namespace

PictureHeader read_picture_header(const Bytes& data, const std::string& location) {
    const ByteView bytes(data);
    if (data.empty()) {
        throw InputError(location + " is empty (0 bytes).");
    }
    const PictureHeader header = read_header(bytes, location);
    if (header.width_px < 1 || header.height_px < 1) {
        throw not_readable(bytes, location);
    }
    if (header.width_px > kMostPixels || header.height_px > kMostPixels / header.width_px) {
        throw InputError(location + " has " + std::to_string(header.width_px) + " x " +
                         std::to_string(header.height_px) + " pixels; a picture may have " +
                         std::to_string(kMostPixels) + " at most: crop or shrink it.");
    }
    return header;
}

}  // namespace scenetext
