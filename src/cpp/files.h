// Reading strangers' files, with a bound.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace scenetext {

using Bytes = std::vector<std::uint8_t>;

/// The content of a regular file.
///
/// Args:
///     location: what messages call the file.
///
/// Throws: InputError where it is missing, no regular file, larger than `most_bytes`, or cannot be read.
Bytes read_file(const std::filesystem::path& path, std::uintmax_t most_bytes, const std::string& location);

/// The SHA-256 of bytes in hexadecimal, small letters.
std::string sha256(const Bytes& data);

}  // namespace scenetext
