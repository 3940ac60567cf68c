// Reading pictures, some hundred at a time: decode, batch by canvas, compute, decode texts.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine.h"
#include "model_folder.h"
#include "picture_files.h"
#include "text_decoder.h"

namespace scenetext {

/// What was read on one picture.
struct Prediction {
    Text text;            ///< empty where nothing was read
    std::string problem;  ///< why the picture could not be read; empty where it could
};

class LineReader {
public:
    /// Args:
    ///     batch_size: lines computed at a time, fewer of wide ones.
    ///     workers: batches computed at the same time, each by one CPU thread.
    LineReader(ModelFolder model, std::size_t batch_size, std::size_t workers);

    /// Reads pictures; one that cannot be read has a problem and does not stop the others.
    ///
    /// Throws: InputError where the network and its dictionary do not fit; RunError where it cannot be computed.
    std::vector<Prediction> read(std::span<const PictureFile> files);

private:
    struct Members {
        int canvas_px = 0;
        std::vector<std::size_t> lines;
    };

    std::vector<Members> batches(const std::vector<FittedLine>& lines) const;

    ModelFolder model_;
    std::size_t batch_size_;
    std::size_t workers_;
    std::unique_ptr<Engine> engine_;
};

}  // namespace scenetext
