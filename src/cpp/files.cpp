#include "files.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <system_error>

#include "errors.h"

namespace scenetext {

Bytes read_file(const std::filesystem::path& path, std::uintmax_t most_bytes, const std::string& location) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) {
        throw InputError(location + " does not exist.");
    }
    if (!std::filesystem::is_regular_file(status)) {  // opening a pipe would wait for ever
        throw InputError(location + " is no file.");
    }
    const auto size = std::filesystem::file_size(path, error);
    if (error || size > most_bytes) {
        throw InputError(location + (error ? " cannot be read: " + error.message() + "."
                                           : " has " + std::to_string(size) + " bytes; at most " +
                                                 std::to_string(most_bytes) + " are read."));
    }
    std::ifstream file(path, std::ios::binary);
    Bytes data(size);
    if (!file || (size > 0 && !file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(size)))) {
        throw InputError(location + " cannot be read: allow it, or copy it again.");
    }
    return data;
}

std::string sha256(const Bytes& data) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    if (EVP_Digest(data.data(), data.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) {
        throw RunError("OpenSSL cannot compute SHA-256.");
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned int at = 0; at < length; ++at) {
        text += digits[digest[at] >> 4];
        text += digits[digest[at] & 15];
    }
    return text;
}

}  // namespace scenetext
