// Names and texts as every line of output can hold them (system/file_names.py).
#pragma once

#include <string>
#include <string_view>

namespace scenetext {

/// The name, or one part of a path, as it is written: UTF-8 as it is, other bytes as GB18030, which Chinese Windows
/// leaves behind. Bytes that are neither, control characters and line separators are written as `\xNN`.
std::string shown_name(std::string_view raw);

}  // namespace scenetext
