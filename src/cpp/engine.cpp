#include "engine.h"

#include "errors.h"

namespace scenetext {

void throw_no_recogniser(const std::filesystem::path& program, std::size_t axes) {
    throw InputError(program.string() + " gives a result of " + std::to_string(axes) +
                     " axes, but a recogniser gives 3 (lines, steps, classes): give a recogniser's folder, not a "
                     "detector's.");
}

}  // namespace scenetext
