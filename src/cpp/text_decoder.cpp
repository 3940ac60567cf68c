#include "text_decoder.h"

#include <algorithm>
#include <span>

#include "errors.h"

namespace scenetext {
namespace {

constexpr std::size_t kBlank = 0;  // of CTC; in an attention decoder the class that starts a line

struct Step {
    std::size_t best = kBlank;  ///< class
    float probability = 0.0F;
};

/// The characters of one line: CTC merges repeats and drops blanks; attention stops at the last class.
std::vector<Step> kept_steps(const std::vector<Step>& steps, Decoding decoding, std::size_t classes) {
    std::vector<Step> kept;
    std::size_t previous = kBlank;
    for (const Step& step : steps) {
        if (decoding == Decoding::attention && step.best == classes - 1) {
            break;
        }
        const bool is_repeat = decoding == Decoding::ctc && step.best == previous;
        if (step.best != kBlank && !is_repeat) {
            kept.push_back(step);
        }
        previous = step.best;
    }
    return kept;
}

}  // namespace

std::vector<Text> decode_texts(const Probabilities& probabilities, const ModelFolder& model) {
    const std::size_t classes = probabilities.classes;
    const std::size_t ctc_classes = classes - (model.decoding == Decoding::attention ? 1 : 0);
    const std::size_t wanted = model.characters.size() + 1;  // the blank
    // a network trained without the space lacks the class that every reader appends
    if (classes == 0 || ctc_classes + 1 < wanted || ctc_classes > wanted) {
        throw InputError("The network has " + std::to_string(ctc_classes) + " classes and its dictionary " +
                         std::to_string(wanted) + " with blank and space: the character list is another network's.");
    }
    std::vector<Text> texts;
    auto values = std::span(probabilities.values);
    for (std::size_t line = 0; line < probabilities.lines; ++line) {
        std::vector<Step> steps;
        for (std::size_t step = 0; step < probabilities.steps; ++step) {
            const auto best = std::ranges::max_element(values.first(classes));
            steps.push_back({static_cast<std::size_t>(best - values.begin()), *best});
            values = values.subspan(classes);
        }
        Text text;
        const std::vector<Step> kept = kept_steps(steps, model.decoding, classes);
        for (const Step& step : kept) {
            text.text += model.characters[step.best - 1];
            text.confidence += static_cast<double>(step.probability) / static_cast<double>(kept.size());
        }
        texts.push_back(text.text.empty() ? Text{} : text);
    }
    return texts;
}

}  // namespace scenetext
