// scenetext-predict: reads pictures with an exported folder and prints name<TAB>text<TAB>confidence.
#include <getopt.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "errors.h"
#include "line_reader.h"
#include "shown_name.h"

namespace scenetext {
namespace {

constexpr std::size_t kPicturesPerPiece = 256;  // sorted by canvas and read together
constexpr std::size_t kMostThreads = 1024;
constexpr std::size_t kMostLines = 1'000'000;
constexpr int kWrongInput = 2;
constexpr int kFailed = 1;

constexpr auto kHelp =
    "usage: scenetext-predict --model DIR --images DIR|FILE [--batch-size N] [--threads N]\n"
    "\n"
    "Reads pictures of text lines and prints name<TAB>text<TAB>confidence for each.\n"
    "\n"
    "  --model DIR      an exported folder: inference.yml and the program\n"
    "  --images PATH    a folder of pictures or one picture\n"
    "  --batch-size N   lines computed at a time (default: 16)\n"
    "  --threads N      CPU threads (default: all)\n"
    "  --help           this text\n"
    "\n"
    "Exit codes: 0, all is printed, pictures that cannot be read with an empty text; 2, wrong input; 1, failure.\n";

struct Arguments {
    std::string model;
    std::string images;
    std::size_t batch_size = 16;
    std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
};

std::size_t count(const char* option, const std::string& text, std::size_t most) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > most) {
        throw InputError(std::string(option) + " " + text + " must be a whole number from 1 to " + std::to_string(most) +
                         ".");
    }
    return number;
}

/// The command line; none where only the help is asked for.
std::optional<Arguments> parse(int argc, char** argv) {
    constexpr std::array<option, 6> options{{{"model", required_argument, nullptr, 'm'},
                                             {"images", required_argument, nullptr, 'i'},
                                             {"batch-size", required_argument, nullptr, 'b'},
                                             {"threads", required_argument, nullptr, 't'},
                                             {"help", no_argument, nullptr, 'h'},
                                             {nullptr, 0, nullptr, 0}}};
    Arguments arguments;
    for (int option = 0; (option = getopt_long(argc, argv, "", options.data(), nullptr)) != -1;) {
        switch (option) {
            case 'm': arguments.model = optarg; break;
            case 'i': arguments.images = optarg; break;
            case 'b': arguments.batch_size = count("--batch-size", optarg, kMostLines); break;
            case 't': arguments.threads = count("--threads", optarg, kMostThreads); break;
            case 'h': return std::nullopt;
            default: throw InputError("See scenetext-predict --help.");  // getopt has named the option
        }
    }
    if (optind < argc) {
        throw InputError(std::string("The argument ") + argv[optind] + " is unknown; see scenetext-predict --help.");
    }
    if (arguments.model.empty() || arguments.images.empty()) {
        throw InputError("Give --model DIR and --images DIR|FILE; see scenetext-predict --help.");
    }
    return arguments;
}

void warn_of_passed_over(const PictureFiles& found, const std::string& images) {
    if (!found.passed_over.empty()) {
        std::cerr << shown_name(images) << ": passed over: " << found.passed_over.size()
                  << " files or folders that are no pictures, junk, or read already (" << found.passed_over.front()
                  << (found.passed_over.size() > 1 ? ", …" : "") << ")\n";
    }
}

void print(const PictureFile& file, const Prediction& prediction) {
    std::array<char, 32> confidence{};
    std::snprintf(confidence.data(), confidence.size(), "%.6f", prediction.text.confidence);
    std::cout << file.name << '\t' << shown_name(prediction.text.text) << '\t' << confidence.data() << '\n';
}

void predict(const Arguments& arguments) {
    cv::setNumThreads(1);  // the pictures are shared over threads
    const PictureFiles found = find_pictures(arguments.images);
    LineReader reader(read_model_folder(arguments.model, engine_programs()), arguments.batch_size, arguments.threads);
    warn_of_passed_over(found, arguments.images);
    std::vector<std::string> problems;
    const auto files = std::span(found.files);
    for (std::size_t start = 0; start < files.size(); start += kPicturesPerPiece) {
        const auto piece = files.subspan(start, std::min(kPicturesPerPiece, files.size() - start));
        const std::vector<Prediction> predictions = reader.read(piece);
        for (std::size_t at = 0; at < piece.size(); ++at) {
            print(piece[at], predictions[at]);
            if (!predictions[at].problem.empty()) {
                problems.push_back(predictions[at].problem);
            }
        }
        if (!std::cout.flush()) {
            throw RunError("The output cannot be written: the disk is full, or its reader has ended.");
        }
    }
    if (!problems.empty()) {
        std::cerr << problems.size() << " of " << files.size() << " images could not be read; their texts are empty:\n";
        for (const std::string& problem : problems) {
            std::cerr << "  " << problem << '\n';
        }
    }
}

int run(int argc, char** argv) {
    try {
        const std::optional<Arguments> arguments = parse(argc, argv);
        if (!arguments) {
            std::cout << kHelp;
            return 0;
        }
        predict(*arguments);
        return 0;
    } catch (const InputError& error) {
        std::cerr << "scenetext-predict: " << error.what() << '\n';
        return kWrongInput;
    } catch (const std::exception& error) {
        std::cerr << "scenetext-predict: " << error.what() << '\n';
        return kFailed;
    }
}

}  // namespace
}  // namespace scenetext

int main(int argc, char** argv) { return scenetext::run(argc, argv); }
