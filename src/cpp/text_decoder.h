// From probabilities to texts, greedily: predict/decode.py's rules.
#pragma once

#include <string>
#include <vector>

#include "engine.h"
#include "model_folder.h"

namespace scenetext {

struct Text {
    std::string text;         ///< UTF-8
    double confidence = 0.0;  ///< mean probability of the characters, 0 for an empty text
};

/// The texts of a batch.
///
/// Throws: InputError where the network has another number of classes than the dictionary.
std::vector<Text> decode_texts(const Probabilities& probabilities, const ModelFolder& model);

}  // namespace scenetext
