// ONNX Runtime on the CPU: reads ONNX.
#include <onnxruntime_cxx_api.h>

#include <array>

#include "engine.h"
#include "errors.h"

namespace scenetext {
namespace {

Ort::SessionOptions session_options() {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);  // every worker computes a batch of its own
    options.DisableMemPattern();      // it would keep a plan of memory for every width
    options.SetLogSeverityLevel(3);   // errors; it warns of every constant that it folds away
    return options;
}

class OnnxRuntime final : public Engine {
public:
    explicit OnnxRuntime(const std::filesystem::path& program)
        : program_(program), session_(open(environment_, program)) {
        if (session_.GetInputCount() == 0 || session_.GetOutputCount() == 0) {
            throw InputError(program.string() + " holds a network without an input or without an output.");
        }
        Ort::AllocatorWithDefaultOptions allocator;
        input_ = session_.GetInputNameAllocated(0, allocator).get();
        output_ = session_.GetOutputNameAllocated(0, allocator).get();
    }

    Probabilities run(std::size_t, const Batch& batch) override {
        const std::array<std::int64_t, 4> shape{static_cast<std::int64_t>(batch.lines), 3,
                                                static_cast<std::int64_t>(batch.height_px),
                                                static_cast<std::int64_t>(batch.width_px)};
        try {
            const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
            // ONNX Runtime reads the tensor only, although it takes memory that it may write
            auto* pixels = const_cast<float*>(batch.pixels.data());
            const auto input =
                Ort::Value::CreateTensor<float>(memory, pixels, batch.pixels.size(), shape.data(), shape.size());
            const std::array<const char*, 1> inputs{input_.c_str()};
            const std::array<const char*, 1> outputs{output_.c_str()};
            const std::vector<Ort::Value> results =
                session_.Run(Ort::RunOptions{nullptr}, inputs.data(), &input, 1, outputs.data(), 1);
            const auto info = results.front().GetTensorTypeAndShapeInfo();
            const std::vector<std::int64_t> found = info.GetShape();
            if (found.size() != 3) {
                throw_no_recogniser(program_, found.size());
            }
            const float* values = results.front().GetTensorData<float>();
            return {static_cast<std::size_t>(found[0]), static_cast<std::size_t>(found[1]),
                    static_cast<std::size_t>(found[2]), {values, values + info.GetElementCount()}};
        } catch (const Ort::Exception& error) {
            throw RunError("ONNX Runtime cannot compute " + program_.string() + ": " + error.what());
        }
    }

private:
    static Ort::Session open(Ort::Env& environment, const std::filesystem::path& program) {
        try {
            return {environment, program.c_str(), session_options()};
        } catch (const Ort::Exception& error) {
            throw InputError("ONNX Runtime cannot read " + program.string() + ": " + error.what());
        }
    }

    std::filesystem::path program_;
    Ort::Env environment_{ORT_LOGGING_LEVEL_ERROR};
    Ort::Session session_;
    std::string input_;
    std::string output_;
};

}  // namespace

std::vector<std::string> engine_programs() { return {"inference.onnx"}; }

std::unique_ptr<Engine> open_engine(const std::filesystem::path& program, std::size_t) {
    return std::make_unique<OnnxRuntime>(program);
}

}  // namespace scenetext
