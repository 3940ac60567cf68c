// What the bytes of a picture file say before they are decoded (data/image_size.py, data/decoding.py).
#pragma once

#include <cstdint>
#include <string>

#include "files.h"

namespace scenetext {

/// A picture by its header.
struct PictureHeader {
    std::int64_t width_px = 0;   ///< as it is stored
    std::int64_t height_px = 0;
    int orientation = 1;         ///< EXIF, 1 to 8; from 5 on width and height change places
    bool has_alpha = false;      ///< a channel or a palette of transparency
};

/// Reads the header of a JPEG, PNG, WEBP or BMP file and checks its end.
///
/// Args:
///     location: what messages call the file.
///
/// Throws: InputError where it is empty, cut short, damaged, larger than 50 million pixels, of another format, or of a
///     kind of these formats that OpenCV would read differently from `scenetext predict`.
PictureHeader read_picture_header(const Bytes& data, const std::string& location);

}  // namespace scenetext
