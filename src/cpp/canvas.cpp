#include "canvas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace scenetext {
namespace {

constexpr int kMaxWidthPx = 3200;  // as by PaddleX

cv::Mat resize_line(const cv::Mat& image, int height_px, int width_px) {
    if (image.rows == height_px && image.cols == width_px) {
        return image;
    }
    cv::Mat resized;
    cv::resize(image, resized, {width_px, height_px}, 0, 0, cv::INTER_LINEAR);
    return resized;
}

/// What each value of a pixel becomes, by PaddleOCR's order of operations.
std::array<float, 256> standardised() {
    std::array<float, 256> values{};
    for (int value = 0; value < 256; ++value) {
        values[static_cast<std::size_t>(value)] = (static_cast<float>(value) / 255.0F - 0.5F) / 0.5F;
    }
    return values;
}

}  // namespace

FittedLine fit_line(const cv::Mat& image, const Canvas& canvas) {
    const double height = canvas.height_px;
    const double ratio = static_cast<double>(image.cols) / image.rows;
    if (canvas.stretched) {
        return {resize_line(image, canvas.height_px, canvas.width_px), canvas.width_px};
    }
    const double widest = canvas.fixed ? canvas.width_px : std::floor(height * std::max(canvas.width_px / height, ratio));
    if (widest > kMaxWidthPx) {
        return {resize_line(image, canvas.height_px, kMaxWidthPx), kMaxWidthPx};
    }
    const int width_px = static_cast<int>(widest);
    const int line_px = std::max(1, static_cast<int>(std::min(widest, std::ceil(height * ratio))));
    return {resize_line(image, canvas.height_px, line_px), width_px};
}

Batch to_batch(const std::vector<FittedLine>& lines, std::span<const std::size_t> members) {
    static const std::array<float, 256> values = standardised();
    const FittedLine& first = lines[members.front()];
    Batch batch{members.size(), static_cast<std::size_t>(first.image.rows), static_cast<std::size_t>(first.canvas_px), {}};
    const std::size_t plane = batch.height_px * batch.width_px;
    batch.pixels.resize(batch.lines * 3 * plane);
    float* line = batch.pixels.data();
    for (const std::size_t member : members) {
        const cv::Mat& image = lines[member].image;
        for (int y = 0; y < image.rows; ++y) {
            float* row = line + static_cast<std::size_t>(y) * batch.width_px;
            const auto* pixels = image.ptr<cv::Vec3b>(y);
            for (int x = 0; x < image.cols; ++x) {
                for (std::size_t channel = 0; channel < 3; ++channel) {
                    row[channel * plane + static_cast<std::size_t>(x)] = values[pixels[x][static_cast<int>(channel)]];
                }
            }
        }
        line += 3 * plane;
    }
    return batch;
}

}  // namespace scenetext
