// Which pictures to read, in which order: data/sources' rule for a folder or one file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace scenetext {

struct PictureFile {
    std::string name;            ///< the path below the folder as output shows it, with forward slashes
    std::string location;        ///< what messages call it
    std::filesystem::path path;
};

struct PictureFiles {
    std::vector<PictureFile> files;          ///< in natural order of the names: 2.jpg before 10.jpg
    std::vector<std::string> passed_over;    ///< junk, what is no picture, and linked folders that are read already
};

/// Lists the pictures at a path: a folder, all folders below it and links included, or one picture.
///
/// Throws: InputError where nothing is there, a folder cannot be listed, or no picture is in it.
PictureFiles find_pictures(const std::filesystem::path& path);

/// A key by which names sort in natural order: runs of digits count as numbers, all else by code point.
std::string natural_key(const std::string& name);

}  // namespace scenetext
