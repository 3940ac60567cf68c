"""OpenOCR's YAML: what becomes of each section, what is refused, and that the command line reads it with a .pth."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml
from drawn import draw_digits
from torch_files import write_pth

from scenetext.cli import main
from scenetext.config import Config, load_config
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.weights.loading import load_weights

TRANSFORMS = [
    {"DecodeImagePIL": {"img_mode": "RGB"}},
    {"PARSeqAugPIL": None},
    {"CTCLabelEncode": {"max_text_length": 25}},
    {"KeepKeys": {"keep_keys": ["image", "label", "length"]}},
]
SAMPLER = {"name": "RatioSampler", "scales": [[128, 32]], "first_bs": 8, "fix_bs": False, "divided_factor": [4, 16]}
RATIO_DATA = {
    "dataset": {"name": "RatioDataSetTVResize", "ds_width": True, "padding": False, "transforms": TRANSFORMS},
    "sampler": SAMPLER,
    "loader": {"shuffle": True, "batch_size_per_card": 8, "drop_last": True, "max_ratio": 6, "num_workers": 2},
}
PAPER = {
    "Global": {
        "device": "gpu",
        "epoch_num": 3,
        "output_dir": "./output",
        "save_epoch_step": [15, 1],
        "eval_epoch_step": [0, 2],
        "eval_batch_step": [0, 500],
        "use_tensorboard": False,
        "character_dict_path": "./tools/utils/EN_symbol_dict.txt",
        "use_amp": True,
    },
    "Optimizer": {"name": "AdamW", "lr": 0.00065, "weight_decay": 0.05, "filter_bias_and_bn": True},
    "LRScheduler": {"name": "OneCycleLR", "warmup_epoch": 1.5, "cycle_momentum": False},
    "Architecture": {
        "model_type": "rec",
        "algorithm": "SVTRv2",
        "Encoder": {
            "name": "SVTRv2LNConvTwo33",
            "use_pos_embed": False,
            "dims": [32, 32, 64],
            "depths": [1, 2, 1],
            "num_heads": [1, 1, 2],
            "mixer": [["Conv"], ["Conv", "FGlobal"], ["Global"]],
            "local_k": [[5, 5], [5, 5], [-1, -1]],
            "sub_k": [[1, 1], [2, 1], [-1, -1]],
            "last_stage": False,
            "feat2d": True,
        },
        "Decoder": {"name": "RCTCDecoder"},
    },
    "Loss": {"name": "CTCLoss", "zero_infinity": True},
    "PostProcess": {"name": "CTCLabelDecode"},
    "Metric": {"name": "RecMetric", "main_indicator": "acc", "is_filter": True},
    "Train": {**RATIO_DATA, "dataset": {**RATIO_DATA["dataset"], "data_dir_list": ["a", "b"]}},
    "Eval": {**RATIO_DATA, "dataset": {**RATIO_DATA["dataset"], "data_dir_list": ["c"]}},
}
NECK = {"dims": 32, "depth": 1, "hidden_dims": 32, "kernel_size": [1, 3], "use_guide": True}
GUIDED = {
    "Decoder": {
        "name": "GTCDecoder",
        "infer_gtc": True,
        "detach": False,
        "gtc_decoder": {"name": "SMTRDecoder", "num_layer": 1, "sub_str_len": 4},
        "ctc_decoder": {"name": "RCTCDecoder"},
    }
}


def changed(path: str = "", value: object = None, **sections: object) -> dict:
    """PAPER with other sections, and another value at one path."""
    values = {**copy.deepcopy(PAPER), **sections}
    *above, last = path.split(".")
    section = values
    for key in above:
        section = section[key]
    section[last] = value
    values.pop("", None)
    return values


def read(values: dict) -> Config:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_config(values)


def test_every_section_becomes_ours() -> None:
    config = read(PAPER)
    assert config.Global.save_model_dir == "./output" and config.Global.eval_batch_epoch == 2
    assert config.Global.use_gpu and config.Global.use_amp and config.Global.pth_img_mode == "RGB"
    assert config.Optimizer.lr.learning_rate == 0.00065 and config.Optimizer.lr.warmup_epoch == 1.5
    assert config.Optimizer.weight_decay == 0.05 and config.Optimizer.one_dim_param_no_weight_decay
    assert config.Architecture.Backbone["conv_kernels"] == [3, 3]
    assert config.Train.dataset.data_dirs == ["a", "b"] and config.Eval.dataset.data_dirs == ["c"]
    assert config.Train.sampler.first_bs == 8 and config.Train.dataset.operation("RecAug") is not None
    assert config.Train.dataset.resize.sizes_px == [(64, 64), (96, 48), (112, 40), (128, 32), (160, 32), (192, 32)]
    assert build_model(config).charset.characters[-1] == "~"
    assert load_config(config.model_dump()) == config  # what a run keeps is read back


def test_what_takes_anothers_place_is_named() -> None:
    with pytest.warns(UserWarning, match="OneCycleLR is Cosine with its warm-up here, PARSeqAugPIL is RecAug here"):
        load_config(PAPER)


def test_semantic_guidance_becomes_the_head_s_own_branch() -> None:
    architecture = {**PAPER["Architecture"], **GUIDED}
    loss = {"name": "GTCLoss", "ctc_weight": 0.1, "gtc_loss": {"name": "SMTRLoss"}}
    config = read(changed(Architecture=architecture, Loss=loss))
    assert config.Architecture.Head == {"name": "RCTCDecoder", "sub_str_len": 4}
    assert (config.Loss.weight_1, config.Loss.weight_2) == (0.1, 1.0)
    reading = {**GUIDED["Decoder"], "infer_gtc": False}
    config = read(changed(Architecture={**PAPER["Architecture"], "Decoder": reading}))
    assert config.Architecture.Head == {"name": "RCTCDecoder"}


def test_the_chinese_networks_read_as_paddleocrs(tmp_path: Path) -> None:
    data = {
        "dataset": {
            "name": "SimpleDataSet",
            "data_dir": "x",
            "label_file_list": ["x.txt"],
            "transforms": [{"DecodeImage": {"img_mode": "BGR"}}, {"RecTVResize": {"image_shape": [48, 320]}}],
        },
        "loader": {"batch_size_per_card": 8},
    }
    decoder = {"name": "CTCDecoder", "svtr_encoder": NECK}
    mobile = {"model_type": "rec", "Encoder": {"name": "RepSVTREncoder"}, "Decoder": decoder}
    optimiser = {"name": "Adam", "lr": 0.0001, "weight_decay": 3.0e-5, "filter_bias_and_bn": False}
    config = read(changed(Architecture=mobile, Optimizer=optimiser, Train=data, Eval=data))
    assert config.Architecture.Backbone == {"name": "RepSVTR"} and config.Global.pth_img_mode == "BGR"
    assert config.Architecture.Head["head_list"][0]["CTCHead"]["Neck"]["hidden_dims"] == 32
    assert config.Optimizer.regularizer.factor == 3.0e-5 and config.Train.dataset.resize.image_shape == [3, 48, 320]
    kernels = {"kernel_sizes": [[5], [5, 5], [-1]], "num_convs": [[1], [1, 1], [-1]], "pope_bias": True}
    server = {**PAPER["Architecture"]["Encoder"], **kernels}
    backbone = read(changed(Architecture={**mobile, "Encoder": server})).Architecture.Backbone
    assert backbone["conv_kernels"] == [5] and backbone["stem_bias"] and backbone["use_pool"]


REFUSED = [
    # where, the value there, what is said
    ("Architecture.Encoder.name", "ViT", r"Architecture.Encoder.name is 'ViT'.*SVTRv2LNConvTwo33 and RepSVTREncoder"),
    ("Architecture.Encoder.last_stage", True, "Architecture.Encoder.last_stage is True"),
    ("Architecture.Encoder.kernel_sizes", [[3], [5, 5], [-1]], "networks whose convolutions are all alike"),
    ("Architecture.Decoder.name", "PARSeqDecoder", "Architecture.Decoder.name is 'PARSeqDecoder'"),
    ("Architecture.Decoder", {"name": "CTCDecoder"}, "CTCDecoder with svtr_encoder"),
    ("Loss.name", "SMTRLoss", "Loss.name is 'SMTRLoss'.*CTCLoss and GTCLoss with SMTRLoss"),
    ("LRScheduler.name", "StepLR", "LRScheduler.name is 'StepLR'"),
    ("Metric.name", "RecMPGMetric", "Metric.name is 'RecMPGMetric'"),
    ("Train.dataset.padding", True, "Train.dataset.padding is True.*padding: false"),
    ("Train.dataset.transforms", [{"ABINetAug": None}], "ABINetAug is no known operation"),
    ("Train.loader.wrong", 1, "Train.loader.wrong is no known setting"),
    ("Global.wrong", 1, "Global.wrong is no known setting"),
    ("Architecture.Encoder.mixer", 7, "not one that can be read"),
    ("Train.dataset", None, "not one that can be read"),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED, ids=[row[0] + repr(row[1])[:9] for row in REFUSED])
def test_what_is_not_built_here_is_refused(path: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(changed(path, value))


TO_OPENOCR = (
    ("backbone.", "encoder."),
    ("head.ctc_head.fc.", "decoder.fc."),
    ("head.frm.key_value.", "decoder.fc_kv."),
    ("head.frm.selecting_token", "decoder.char_token"),
    ("head.frm.horizontal.mixer.", "decoder.w_atten_block.attn."),
    ("head.frm.horizontal.", "decoder.w_atten_block."),
)


def openocrs(state: dict) -> dict[str, np.ndarray]:
    """Our weights as OpenOCR has them: its names, linear layers turned, trained on pictures that are red first."""
    found = {}
    for key, tensor in state.items():
        value = tensor.numpy()
        name = next((new + key.removeprefix(old) for old, new in TO_OPENOCR if key.startswith(old)), key)
        name = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
        if name == "decoder.char_token":
            value = value.reshape(1, 1, -1)
        elif value.ndim == 2:
            value = value.T
        elif name == "encoder.pope.patch_embed.0.conv.weight":
            value = value[:, ::-1]
        found[name] = value
    return found


def test_the_command_line_reads_openocrs_configuration_and_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    draw_digits(tmp_path, 6)
    monkeypatch.chdir(tmp_path)
    values = changed("Global.character_dict_path", "charset.txt")
    values["Global"]["device"] = "cpu"
    Path("openocr.yml").write_text(yaml.safe_dump(values), encoding="utf-8")
    paddle.seed(0)
    model = build_model(read(values))
    for key, tensor in model.state_dict().items():
        if "fc.weight" in key:
            tensor.set_value(tensor * 20)
    write_pth(Path("best.pth"), {"state_dict": openocrs(model.state_dict()), "epoch": 20})
    paddle.save(model.state_dict(), "ours.pdparams")

    for colours in ("RGB", "BGR"):  # the lines are grey, so their texts would not tell
        loaded = build_model(load_config(read(values), [f"Global.pth_img_mode={colours}"]))
        load_weights(loaded, "best.pth", strict=True)
        state = model.state_dict()
        differ = [key for key, tensor in loaded.state_dict().items() if not np.array_equal(tensor, state[key])]
        assert differ == ([] if colours == "RGB" else ["backbone.pope.patch_embed.0.conv.weight"])

    network = ["-c", "openocr.yml", "-o", "Global.use_visualdl=false"]
    pictures = ["--images", "images", "--out"]
    for weights in ("best.pth", "ours"):
        assert main(["predict", *network, "--weights", weights, *pictures, f"{weights}.txt"]) == 0
    texts = Path("best.pth.txt").read_text(encoding="utf-8")
    assert texts == Path("ours.txt").read_text(encoding="utf-8") and any(
        line.split("\t")[1] for line in texts.splitlines()
    )
    assert main(["evaluate", *network, "--weights", "best.pth", "--labels", "train.txt", *pictures, "scores"]) == 0
    assert main(["predict", "--weights", "best.pth", *pictures, "x.txt"]) == 2
    assert "--weights needs the configuration of the network" in capsys.readouterr().err
    assert main(["predict", *network, "--weights", "best.pth", "--engine", "paddle", *pictures, "x.txt"]) == 2
    assert "Paddle computes --weights" in capsys.readouterr().err

    assert main(["predict", *network, "--model", "none", *pictures, "x.txt"]) == 2
    assert "-c and -o are not used: --model is a folder" in capsys.readouterr().err

    data = {"data_dir": "images", "label_file_list": ["train.txt"]}
    own = [f"{section}.dataset.{key}={value}" for section in ("Train", "Eval") for key, value in data.items()]
    named = [f"{section}.dataset.name=SimpleDataSet" for section in ("Train", "Eval")]
    trained = ["Global.epoch_num=1", "Global.pretrained_model=best.pth", "Global.save_model_dir=run"]
    assert main(["train", *network, *named, *own, *trained]) == 0
    assert Path("run/latest.pdparams").is_file()
