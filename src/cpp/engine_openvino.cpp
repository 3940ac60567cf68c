// OpenVINO on the CPU: reads ONNX and Paddle's .pdmodel.
#include <algorithm>
#include <openvino/openvino.hpp>

#include "engine.h"
#include "errors.h"

namespace scenetext {
namespace {

// In each thread. OpenVINO's own 5,000 grow with every width of canvas: 1,253 MB after 1,197 crops, with these 488 MB.
constexpr std::size_t kCachedKernels = 512;

std::string first_line(const std::string& text) {
    const std::size_t start = std::min(text.find_first_not_of(" \n"), text.size());
    return text.substr(start, text.find('\n', start) - start);
}

class OpenVino final : public Engine {
public:
    OpenVino(const std::filesystem::path& program, std::size_t workers) : program_(program) {
        const auto threads = static_cast<std::int32_t>(workers);
        try {
            const std::shared_ptr<ov::Model> model = core_.read_model(program.string());
            if (model->inputs().empty() || model->outputs().empty()) {
                throw InputError(program.string() + " holds a network without an input or without an output.");
            }
            const ov::Rank axes = model->output(0).get_partial_shape().rank();
            if (axes.is_static() && axes.get_length() != 3) {
                throw_no_recogniser(program, static_cast<std::size_t>(axes.get_length()));
            }
            ov::CompiledModel compiled = core_.compile_model(
                model, "CPU", ov::hint::inference_precision(ov::element::f32), ov::num_streams(ov::streams::Num(threads)),
                ov::inference_num_threads(threads), ov::hint::enable_cpu_pinning(false),
                ov::Property<std::size_t>("CPU_RUNTIME_CACHE_CAPACITY")(kCachedKernels));
            for (std::size_t worker = 0; worker < workers; ++worker) {
                requests_.push_back(compiled.create_infer_request());
            }
        } catch (const ov::Exception& error) {
            throw InputError("OpenVINO cannot read " + program.string() + ": " + first_line(error.what()));
        }
    }

    Probabilities run(std::size_t worker, const Batch& batch) override {
        ov::InferRequest& request = requests_[worker];
        try {
            // OpenVINO reads the tensor only, although its constructor takes memory that it may write
            auto* pixels = const_cast<float*>(batch.pixels.data());
            request.set_input_tensor(
                ov::Tensor(ov::element::f32, {batch.lines, 3, batch.height_px, batch.width_px}, pixels));
            request.infer();
            const ov::Tensor output = request.get_output_tensor(0);
            const ov::Shape shape = output.get_shape();
            if (shape.size() != 3) {
                throw_no_recogniser(program_, shape.size());
            }
            const float* values = output.data<const float>();
            return {shape[0], shape[1], shape[2], {values, values + output.get_size()}};
        } catch (const ov::Exception& error) {
            throw RunError("OpenVINO cannot compute " + program_.string() + " for " + std::to_string(batch.lines) +
                           " lines of " + std::to_string(batch.height_px) + " x " + std::to_string(batch.width_px) +
                           " pixels: " + first_line(error.what()));
        }
    }

private:
    std::filesystem::path program_;
    ov::Core core_;
    std::vector<ov::InferRequest> requests_;
};

}  // namespace

std::vector<std::string> engine_programs() { return {"inference.onnx", "inference.pdmodel"}; }

std::unique_ptr<Engine> open_engine(const std::filesystem::path& program, std::size_t workers) {
    return std::make_unique<OpenVino>(program, workers);
}

}  // namespace scenetext
