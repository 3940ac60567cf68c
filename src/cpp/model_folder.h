// `inference.yml` of an exported folder: the canvas, the characters, the decoder (predict/model_folder.py).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace scenetext {

/// What a line is laid on before the network reads it; see data/transforms.py.
struct Canvas {
    int height_px = 0;
    int width_px = 0;        ///< the smallest width, or the only one where `fixed`
    bool fixed = false;      ///< wider lines are squeezed to the width
    bool stretched = false;  ///< lines fill the width instead of being padded
};

enum class Decoding { ctc, attention };

/// An exported folder as a reader needs it.
struct ModelFolder {
    std::filesystem::path program;        ///< of an engine: inference.onnx or inference.pdmodel
    Canvas canvas;
    std::vector<std::string> characters;  ///< UTF-8, of the classes from 1 on, the space last
    Decoding decoding = Decoding::ctc;
};

/// Reads the settings of an exported folder and checks its files against the checksums in them.
///
/// Args:
///     folder: what `scenetext export` or PaddleOCR wrote.
///     programs: the names of the files that the engine reads, the preferred one first.
///
/// Throws: InputError where the folder is not complete, is no recogniser's, or holds another file than was exported.
ModelFolder read_model_folder(const std::filesystem::path& folder, const std::vector<std::string>& programs);

}  // namespace scenetext
