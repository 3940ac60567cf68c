#include "line_reader.h"

#include <algorithm>
#include <map>

#include "errors.h"
#include "files.h"
#include "parallel.h"
#include "picture.h"

namespace scenetext {
namespace {

constexpr std::uintmax_t kMostBytes = 1U << 28;  // a larger file is no picture of text
constexpr std::size_t kFullBatchWidths = 2;      // up to so many smallest widths a batch holds all its lines
constexpr std::size_t kLeastBudgetWidthPx = 320;

}  // namespace

LineReader::LineReader(ModelFolder model, std::size_t batch_size, std::size_t workers)
    : model_(std::move(model)),
      batch_size_(batch_size),
      workers_(workers),
      engine_(open_engine(model_.program, workers)) {}

std::vector<Prediction> LineReader::read(std::span<const PictureFile> files) {
    std::vector<Prediction> predictions(files.size());
    std::vector<FittedLine> lines(files.size());
    parallel_for(files.size(), workers_, [&](std::size_t, std::size_t index) {
        const PictureFile& file = files[index];
        try {
            const cv::Mat image = decode_picture(read_file(file.path, kMostBytes, file.location), file.location);
            lines[index] = fit_line(image, model_.canvas);
        } catch (const InputError& problem) {
            predictions[index].problem = problem.what();
        }
    });
    const std::vector<Members> batches = this->batches(lines);
    parallel_for(batches.size(), workers_, [&](std::size_t worker, std::size_t index) {
        const std::vector<std::size_t>& members = batches[index].lines;
        const std::vector<Text> texts = decode_texts(engine_->run(worker, to_batch(lines, members)), model_);
        if (texts.size() != members.size()) {
            throw RunError(model_.program.string() + " gives " + std::to_string(texts.size()) + " results for " +
                           std::to_string(members.size()) + " lines.");
        }
        for (std::size_t at = 0; at < members.size(); ++at) {
            predictions[members[at]].text = texts[at];
        }
    });
    return predictions;
}

/// Only lines of equal canvas share a batch, so that a text does not depend on its neighbours; the largest come first.
std::vector<LineReader::Members> LineReader::batches(const std::vector<FittedLine>& lines) const {
    std::map<int, std::vector<std::size_t>> groups;
    for (std::size_t index = 0; index < lines.size(); ++index) {
        if (!lines[index].image.empty()) {
            groups[lines[index].canvas_px].push_back(index);
        }
    }
    const auto width = std::max(static_cast<std::size_t>(model_.canvas.width_px), kLeastBudgetWidthPx);
    const std::size_t budget_px = kFullBatchWidths * batch_size_ * width;
    const std::size_t share = (lines.size() + workers_ - 1) / workers_;
    std::vector<Members> batches;
    for (const auto& [canvas_px, members] : groups) {
        const std::size_t fitting = budget_px / static_cast<std::size_t>(canvas_px);
        const std::size_t size = std::max<std::size_t>(1, std::min({batch_size_, fitting, share}));
        for (std::size_t start = 0; start < members.size(); start += size) {
            const auto first = members.begin() + static_cast<std::ptrdiff_t>(start);
            const auto count = std::min(size, members.size() - start);
            batches.push_back({canvas_px, {first, first + static_cast<std::ptrdiff_t>(count)}});
        }
    }
    std::ranges::stable_sort(batches, std::greater{}, [](const Members& batch) {
        return static_cast<std::size_t>(batch.canvas_px) * batch.lines.size();
    });
    return batches;
}

}  // namespace scenetext
