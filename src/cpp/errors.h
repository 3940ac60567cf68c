// The two failures that users see, each a sentence that names the value, its location and how to fix it.
#pragma once

#include <stdexcept>

namespace scenetext {

/// A wrong input: the program ends with exit code 2, as `scenetext` does.
class InputError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A failure that is not the input's: exit code 1.
class RunError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace scenetext
