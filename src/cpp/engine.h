// What computes a network. An engine is one class in one file; CMake's option SCENETEXT_ENGINE chooses it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "canvas.h"

namespace scenetext {

/// What a network gives for a batch.
struct Probabilities {
    std::size_t lines = 0;
    std::size_t steps = 0;
    std::size_t classes = 0;
    std::vector<float> values;  ///< (lines, steps, classes)
};

class Engine {
public:
    Engine() = default;
    virtual ~Engine() = default;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Computes a batch. Calls with different workers may run at the same time.
    ///
    /// Throws: InputError where the network is no recogniser; RunError where it cannot be computed.
    virtual Probabilities run(std::size_t worker, const Batch& batch) = 0;
};

/// The names of the files that the engine of this build reads, the preferred one first.
std::vector<std::string> engine_programs();

/// Opens a network for a number of workers, each of one CPU thread.
///
/// Throws: InputError where the file is damaged or of a kind that the engine does not know.
std::unique_ptr<Engine> open_engine(const std::filesystem::path& program, std::size_t workers);

/// The error for an output with another number of axes than (lines, steps, classes).
///
/// Args:
///     axes: how many the output has.
[[noreturn]] void throw_no_recogniser(const std::filesystem::path& program, std::size_t axes);

}  // namespace scenetext
