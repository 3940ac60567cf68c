"""Plans the bits of networks without their trained weights: `python tests/benchmarks/paper_plan.py [MB]`.

Runs the solver of the bit allocation on the shapes of PP-OCRv6 medium and PP-OCRv5 server with 4,000 characters.
Without weights and lines, every layer counts the same: its loss is the squared quantisation error of normally
distributed weights, relative to their variance. PP-OCRv5 server is PPHGNetV2_B4 (its published stages, in
`hgnet_v2_shapes`) with the light SVTR neck. Both are planned without NRTR.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scenetext.system.process import prepare_process

prepare_process()

import numpy as np  # noqa: E402

from scenetext.config import load_config  # noqa: E402
from scenetext.export.compress import MIN_ELEMENTS  # noqa: E402
from scenetext.export.compress.plan import Option, allocate  # noqa: E402
from scenetext.export.compress.quantisation import QUANT_SCHEMES, as_rows, fake_quantise_rows  # noqa: E402
from scenetext.models import build_model  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CHARACTERS = 4000
PROGRAM_BYTES = 150_000  # estimate, without the decoding of the weights
ROWS_TRIED = 64
Shapes = dict[str, tuple[int, int]]  # by layer: outputs, inputs


def built_shapes(config: str) -> tuple[Shapes, int]:
    """The matrices of one of our networks as exported, and how many further numbers it has."""
    from scenetext.export.compress import quantisable_weights

    settings = load_config(ROOT / "configs" / config, ["Global.character_dict_path=ppocr_keys_v1"])
    model = build_model(settings, num_classes=CHARACTERS + 2)
    model.eval()
    model.fuse()
    shapes = {w.key: as_rows(w.value, w.axis).shape for w in quantisable_weights(model)}
    total = sum(int(np.prod(p.shape)) for p in model.parameters())
    return shapes, total - sum(o * i for o, i in shapes.values())


def hgnet_v2_shapes() -> tuple[Shapes, int]:
    """PPHGNetV2_B4 for text, a light SVTR neck of 120 channels and two layers, and a CTC head."""
    shapes: Shapes = {
        "stem1": (32, 27), "stem2a": (16, 128), "stem2b": (32, 64), "stem3": (32, 576), "stem4": (48, 32)
    }  # fmt: skip
    channels = 48
    # middle, output channels, blocks, light blocks, kernel
    for stage, (middle, out, blocks, light, kernel) in enumerate(
        [(48, 128, 1, False, 3), (96, 512, 1, False, 3), (192, 1024, 3, True, 5), (384, 2048, 1, True, 5)], 1
    ):
        shapes[f"stage{stage}.downsample"] = (channels, 9)
        for block in range(blocks):
            name, inputs = f"stage{stage}.block{block}", channels
            for layer in range(6):
                if light:
                    shapes[f"{name}.layer{layer}.pointwise"] = (middle, inputs)
                    shapes[f"{name}.layer{layer}.depthwise"] = (middle, kernel**2)
                else:
                    shapes[f"{name}.layer{layer}"] = (middle, inputs * kernel**2)
                inputs = middle
            shapes[f"{name}.squeeze"] = (out // 2, channels + 6 * middle)
            shapes[f"{name}.excite"] = (out, out // 2)
            channels = out
    width = 120
    shapes |= {"neck.conv1": (256, 3 * 2048), "neck.conv2": (width, 256)}
    for layer in range(2):
        shapes |= {
            f"neck.block{layer}.qkv": (3 * width, width), f"neck.block{layer}.projection": (width, width),
            f"neck.block{layer}.mlp1": (2 * width, width), f"neck.block{layer}.mlp2": (width, 2 * width),
        }  # fmt: skip
    shapes |= {"neck.conv3": (2048, width), "neck.conv4": (256, 3 * 4096), "neck.conv1x1": (width, 256)}
    shapes["head"] = (CHARACTERS + 2, width)
    return shapes, sum(outputs for outputs, _ in shapes.values()) + 3_000  # biases and normalisation layers


def options(outputs: int, inputs: int, rng: np.random.Generator) -> list[Option]:
    """The quantisation schemes for a layer of normally distributed weights."""
    rows = rng.normal(size=(min(outputs, ROWS_TRIED), inputs)).astype(np.float32)
    listed = [Option(None, 4 * outputs * inputs, 0.0)]
    for scheme in QUANT_SCHEMES:
        error = float(np.square(fake_quantise_rows(rows, scheme, None) - rows).mean())
        listed.append(Option(scheme, scheme.size_bytes(outputs, inputs) + scheme.program_bytes, error))
    return listed


def report(name: str, shapes: Shapes, others: int, budget_bytes: int) -> None:
    """Prints the bit allocation of a network."""
    rng = np.random.default_rng(0)
    fixed = 4 * others + sum(4 * o * i for o, i in shapes.values() if o * i < MIN_ELEMENTS) + PROGRAM_BYTES
    coded = {key: shape for key, shape in shapes.items() if shape[0] * shape[1] >= MIN_ELEMENTS}
    chosen = allocate({key: options(*shape, rng) for key, shape in coded.items()}, budget_bytes - fixed)
    total = fixed + sum(option.size_bytes for option in chosen.values())
    numbers = sum(o * i for o, i in shapes.values()) + others
    print(f"\n{name}: {numbers:,} numbers, {4 * numbers / 1e6:.1f} MB in float32; planned {total:,} bytes")
    print(f"sum of the layers' relative errors: {sum(option.loss for option in chosen.values()):.3f}")
    print("| layer | outputs x inputs | bits a weight |\n|---|---|---|")
    for key, option in chosen.items():
        outputs, inputs = coded[key]
        size = 4 * outputs * inputs if option.scheme is None else option.scheme.size_bytes(outputs, inputs)
        print(f"| {key} | {outputs} x {inputs} | {8 * size / (outputs * inputs):.2f} |")


def main(arguments: list[str]) -> None:
    """Plans both networks."""
    budget_bytes = int(float(arguments[0] if arguments else 10) * 1e6)
    report("PP-OCRv6 medium", *built_shapes("ppocrv6_medium.yml"), budget_bytes)
    report("PP-OCRv5 server", *hgnet_v2_shapes(), budget_bytes)


if __name__ == "__main__":
    main(sys.argv[1:])
