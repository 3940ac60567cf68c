#include "picture.h"

#include <cmath>
#include <opencv2/imgcodecs.hpp>

#include "errors.h"
#include "picture_header.h"

namespace scenetext {
namespace {

constexpr double kFaint = 224;  // on white, pixels from this value on are no more to be seen

cv::Mat decode(const Bytes& data, int mode) {
    try {
        return cv::imdecode(data, mode);
    } catch (const cv::Exception&) {  // OpenCV's way to say that a file is broken, beside an empty picture
        return {};
    }
}

template <typename Opacity>
cv::Mat laid(const cv::Mat& image, const cv::Mat& alpha, float background) {
    cv::Mat result(image.size(), CV_8UC3);
    constexpr auto opaque = static_cast<float>(std::numeric_limits<Opacity>::max());
    for (int y = 0; y < image.rows; ++y) {
        for (int x = 0; x < image.cols; ++x) {
            const float opacity = static_cast<float>(alpha.at<Opacity>(y, x)) / opaque;
            for (int channel = 0; channel < 3; ++channel) {
                const auto value = static_cast<float>(image.at<cv::Vec3b>(y, x)[channel]);
                const float blended = value * opacity + background * (1.0F - opacity);
                result.at<cv::Vec3b>(y, x)[channel] = static_cast<std::uint8_t>(std::nearbyint(blended));
            }
        }
    }
    return result;
}

template <typename Opacity>
cv::Mat on_background(const cv::Mat& image, const cv::Mat& alpha) {
    double least = 0;
    double most = 0;
    cv::minMaxLoc(alpha, &least, &most);
    if (least == std::numeric_limits<Opacity>::max()) {
        return image;
    }
    cv::Mat result = laid<Opacity>(image, alpha, 255.0F);
    double darkest = 0;
    cv::minMaxLoc(result.reshape(1), &darkest);
    return darkest >= kFaint && most > 0 ? laid<Opacity>(image, alpha, 0.0F) : result;
}

cv::Mat upright(const cv::Mat& image, int orientation) {
    cv::Mat turned = orientation > 4 ? cv::Mat(image.t()) : image;
    if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) {
        cv::flip(turned, turned, 1);
    }
    if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) {
        cv::flip(turned, turned, 0);
    }
    return turned;
}

}  // namespace

cv::Mat decode_picture(const Bytes& data, const std::string& location) {
    const PictureHeader header = read_picture_header(data, location);
    cv::Mat image = decode(data, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
    if (image.empty()) {
        throw InputError(location + " is no image that can be read (" + std::to_string(data.size()) + " bytes).");
    }
    if (header.has_alpha) {
        const cv::Mat unchanged = decode(data, cv::IMREAD_UNCHANGED | cv::IMREAD_IGNORE_ORIENTATION);
        if (unchanged.channels() == 4 && unchanged.size() == image.size()) {
            cv::Mat alpha;
            cv::extractChannel(unchanged, alpha, 3);
            image = alpha.depth() == CV_16U ? on_background<std::uint16_t>(image, alpha)
                                            : on_background<std::uint8_t>(image, alpha);
        }
    }
    return upright(image, header.orientation);
}

}  // namespace scenetext
