"""Multi-size resizing: the canvas of a line, batches by ratio, and a network that trains, reads and is exported so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawn import draw_digits, tiny_config
from PIL import Image

from scenetext.config import load_config
from scenetext.data.batches import RatioSampler
from scenetext.data.pipeline import canvas_of, training_lines, training_sampler
from scenetext.data.transforms import ratios_of, standardise
from scenetext.errors import InputError
from scenetext.export.exporter import export_model
from scenetext.models import build_model
from scenetext.predict.line_reader import fit_line
from scenetext.predict.model_folder import read_inference_yml
from scenetext.predict.recognizer import Recognizer
from scenetext.predict.trained_model import load_reader
from scenetext.train.recognition import RecognitionTask
from scenetext.train.trainer import train

SVTRV2 = {
    "Backbone": {
        "name": "SVTRv2",
        "dims": [32, 32, 64],
        "depths": [1, 1, 1],
        "num_heads": [1, 1, 2],
        "mixer": [["Conv"], ["Global"], ["Global"]],
        "conv_kernels": [3, 3],
        "stem_bias": False,
        "sub_k": [[1, 1], [2, 1], [-1, -1]],
        "use_pool": False,
        "feat2d": True,
    },
    "Head": {"name": "RCTCDecoder", "sub_str_len": 2},
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_digits(tmp_path_factory.mktemp("digits"), 24)  # 28 to 128 pixels wide and 32 high


def multi_size(digits: Path, resize: dict | None = None, sampler: dict | None = None, **settings: object) -> dict:
    config = tiny_config(digits, **settings)
    transforms = [{"MultiSizeResize": {"max_ratio": 6, **(resize or {})}}]
    config["Architecture"], config["Loss"] = SVTRV2, {"name": "CTCLoss"}
    for section in ("Train", "Eval"):
        config[section] = {**config[section], "dataset": {**config[section]["dataset"], "transforms": transforms}}
    config["Train"]["sampler"] = {"name": "RatioSampler", "first_bs": 4, **(sampler or {})}
    return config


@pytest.mark.parametrize(
    ("size", "canvas"),
    [  # width and height of a picture and of its canvas, as OpenOCR's RatioDataSetTVResize has them
        ((20, 50), (64, 64)),
        ((48, 32), (96, 48)),  # 1.5 is rounded to 2
        ((80, 32), (96, 48)),  # 2.5 as well: halves go to even numbers
        ((96, 32), (112, 40)),
        ((300, 80), (128, 32)),
        ((155, 31), (160, 32)),
        ((6400, 32), (192, 32)),  # max_ratio is 6
    ],
)
def test_the_ratio_of_a_picture_chooses_its_canvas(digits, size, canvas):
    canvases = canvas_of(load_config(multi_size(digits)), None)
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    line = fit_line(image, canvases)
    assert canvases.size_of(*size) == line.canvas_size_px == canvas
    expected = Image.fromarray(image).resize(canvas, Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(line.image, np.asarray(expected))


def test_lines_of_one_canvas_share_batches_of_the_published_sizes():
    sizes = ((64, 64), (96, 48), (112, 40), (128, 32), (160, 32), (192, 32))
    ratios = np.random.default_rng(1).integers(0, 6, 500)
    sampler = RatioSampler(ratios, sizes, (16, 16, 16, 16, 12, 10), True, 3)
    plans = sampler.plan(2)
    assert sorted(np.concatenate([plan.indices for plan in plans])) == list(range(500))
    for plan in plans:
        (number,) = set(ratios[plan.indices])
        assert (plan.width_px, plan.height_px) == sizes[number] and plan.stretched
        assert len(plan.indices) <= sampler.batch_sizes[number]
    short = Counter(
        int(ratios[p.indices[0]]) for p in plans if len(p.indices) < sampler.batch_sizes[ratios[p.indices[0]]]
    )
    assert max(short.values()) == 1  # the last batch of a canvas
    repeated, other = sampler.plan(2), sampler.plan(3)
    assert all(np.array_equal(a.indices, b.indices) for a, b in zip(plans, repeated, strict=True))
    assert {frozenset(p.indices) for p in plans} != {frozenset(p.indices) for p in other}


def test_wide_lines_come_in_batches_of_the_first_ones_pixels(digits):
    config = load_config(multi_size(digits, {"max_ratio": 8}, {"first_bs": 256}))
    lines = training_lines(config, build_model(config), 0, progress=False)
    sampler = training_sampler(config, lines, 0)
    assert sampler.batch_sizes == [256] * 4 + [256 * 4096 // (32 * 32 * ratio) for ratio in (5, 6, 7, 8)]
    assert np.array_equal(sampler.canvas_of + 1, ratios_of(lines.sizes_px))


def test_a_training_batch_holds_what_the_reader_sees(digits):
    config = load_config(multi_size(digits))
    model = build_model(config)
    task = RecognitionTask(config, model, progress=False)
    for plan, batch in zip(task.sampler.plan(0), task.load_ahead(task.sampler.plan(0), 0, 1), strict=True):
        assert batch.images.shape[2:] == (plan.height_px, plan.width_px)
        name = task.samples.records[int(plan.indices[0])].name
        line = task.reader.fit(np.asarray(Image.open(digits / "images" / name))[:, :, ::-1])
        np.testing.assert_array_equal(batch.images[0], standardise(line.image))


def test_a_network_is_trained_and_exported_with_several_canvases(digits, tmp_path):
    config = load_config(multi_size(digits, epoch_num=1))
    assert len({plan.height_px for plan in task_plans(config)}) > 1
    result = train(config, tmp_path / "run", progress=False)
    folder = tmp_path / "exported"
    export_model(config, result.best, folder, storage="float32", progress=False)
    assert read_inference_yml(folder).canvas == canvas_of(config, None)
    reader = load_reader(config, result.best)
    lines = [reader.fit(np.asarray(Image.open(name))[:, :, ::-1]) for name in sorted((digits / "images").iterdir())[:6]]
    for engine in ("paddle", "onnxruntime"):
        exported = Recognizer(folder, engine)
        for line in lines:
            np.testing.assert_allclose(exported.probabilities(line), reader.probabilities(line), atol=1e-4)


def task_plans(config):
    return RecognitionTask(config, build_model(config), progress=False).sampler.plan(0)


def test_lines_longer_than_their_canvas_are_named(digits, tmp_path):
    config = multi_size(digits, {"base_shape": [[8, 64], [8, 48], [112, 40], [128, 32]]})
    task = RecognitionTask(load_config(config), build_model(load_config(config)), progress=False)
    (told,) = [note for note in task.notes if "contribute no gradient" in note]
    assert "need more than the time steps of their canvases" in told and "widen base_shape" in told


REFUSED = [
    # what is changed, what is said
    (
        dict(sampler={"name": "WidthBucketSampler", "max_width": 640}),
        "Train.sampler is WidthBucketSampler, .*RatioSampler",
    ),
    (dict(resize={"padding": True}), "padding must be one of False"),
    (dict(resize={"max_ratio": 0}), "max_ratio must be a whole number from 1 to 100"),
    (dict(sampler={"scales": [[128, 32], [64, 64]]}), "scales holds 2 pairs"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_impossible_settings_are_refused(digits, change, message):
    config = multi_size(digits)
    config["Train"]["sampler"] = change.get("sampler", config["Train"]["sampler"])
    if "scales" in change.get("sampler", {}):
        config["Train"]["sampler"] |= {"name": "RatioSampler", "first_bs": 4}
    for section in ("Train", "Eval"):
        config[section]["dataset"]["transforms"][0]["MultiSizeResize"] |= change.get("resize", {})
    with pytest.raises(InputError, match=message):
        load_config(config)


def test_what_cannot_work_with_several_canvases_is_refused(digits, tmp_path):
    config = multi_size(digits)
    for key, value, message in (
        ("Train.dataset.cache_dir", str(tmp_path), "keeps lines of one height"),
        ("Train.dataset.transforms", [{"RecConAug": None}, {"MultiSizeResize": None}], "RecConAug"),
        ("Eval.dataset.transforms", [{"RecResizeImg": {"image_shape": [3, 32, 128]}}], "the same resize"),
    ):
        with pytest.raises(InputError, match=message):
            load_config(config, [f"{key}={value!r}"])
    other = load_config({**config, "Architecture": tiny_config(digits)["Architecture"]})
    with pytest.raises(InputError, match="image_shape|height"):
        RecognitionTask(other, build_model(other), progress=False)
    with pytest.raises(InputError, match="works only on pictures 32 pixels high"):
        canvas_of(other, (32, None))
