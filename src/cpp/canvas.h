// Laying lines on canvases: predict/line_reader.py's rule, which is PaddleX's, and data/transforms.py's pixels.
#pragma once

#include <opencv2/core.hpp>
#include <span>
#include <vector>

#include "model_folder.h"

namespace scenetext {

/// A line resized to the network's height, and the width of its canvas, at least its own.
struct FittedLine {
    cv::Mat image;  ///< CV_8UC3, blue first
    int canvas_px = 0;
};

/// Resizes a line, bilinearly, squeezed where it would be wider than a fixed canvas or 3,200 pixels.
FittedLine fit_line(const cv::Mat& image, const Canvas& canvas);

/// Lines as a network takes them.
struct Batch {
    std::size_t lines = 0;
    std::size_t height_px = 0;
    std::size_t width_px = 0;
    std::vector<float> pixels;  ///< (lines, 3, height, width) in [-1, 1], 0 where a line is padded on its right
};

/// Standardises lines of one canvas.
Batch to_batch(const std::vector<FittedLine>& lines, std::span<const std::size_t> members);

}  // namespace scenetext
