// How a picture is turned when it is shown (CIPA DC-008, tag 0x0112).
#pragma once

#include "byte_view.h"

namespace scenetext {

/// The orientation of a picture that is shown as it is stored.
inline constexpr int kUpright = 1;

/// The orientation, 1 to 8, that an EXIF block (a TIFF header and what follows it) says; kUpright without one.
inline int exif_orientation(const ByteView& exif) {
    const bool is_little = exif.has(0, "II");
    if (!is_little && !exif.has(0, "MM")) {
        return kUpright;
    }
    const auto number = [&](std::size_t at, std::size_t count) {
        return is_little ? exif.little(at, count) : exif.big(at, count);
    };
    const std::size_t start = number(4, 4);
    const std::size_t count = number(2, 2) == 42 ? number(start, 2) : 0;
    for (std::size_t entry = start + 2; entry < start + 2 + 12 * count && entry + 10 <= exif.size(); entry += 12) {
        if (number(entry, 2) == 0x0112) {
            const auto orientation = static_cast<int>(number(entry + 8, 2));
            return orientation >= 1 && orientation <= 8 ? orientation : kUpright;
        }
    }
    return kUpright;
}

}  // namespace scenetext
