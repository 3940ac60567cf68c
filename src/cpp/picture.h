// From the bytes of a picture file to pixels, as `decode_image` of data/transforms.py gives them.
#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "files.h"

namespace scenetext {

/// Decodes a picture to 8 bits, blue first, upright; transparent pixels are laid on white, or on black where white
/// would leave nothing to see.
///
/// Args:
///     location: what messages call the file.
///
/// Returns: (H, W) of CV_8UC3.
///
/// Throws: InputError; see read_picture_header.
cv::Mat decode_picture(const Bytes& data, const std::string& location);

}  // namespace scenetext
