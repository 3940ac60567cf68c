"""PaddleOCR's own YAMLs of the networks we have: every key they hold is known, and their parts are built.

Written from reading configs/rec of PaddleOCR: the settings of each file, laid over what its family has in common. Names
of pictures, results and folders are shortened, the rest is as there. Where a file changed over time, the revision with
more keys was taken, or both.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from typing import Any

import pytest
import yaml
from paddleocr_files import without_nothing

from scenetext.config import load_config
from scenetext.data.pipeline import canvas_of, training_sampler
from scenetext.data.transforms import Canvas
from scenetext.models import build_model
from scenetext.models.build import BACKBONES
from scenetext.text.charset import Charset, charset_path
from scenetext.train.losses import build_loss
from scenetext.train.optimiser import build_optimiser

Config = dict[str, Any]
KEYS = "ppocr/utils/ppocr_keys_v1.txt"
LINES = range(2048)  # stands for a training set where only its size counts

GLOBAL = yaml.safe_load("""
  {use_gpu: true, epoch_num: 72, log_smooth_window: 20, print_batch_step: 10, save_model_dir: ./output/rec,
   save_epoch_step: 3, eval_batch_step: [0, 2000], cal_metric_during_train: true, pretrained_model: , checkpoints: ,
   save_inference_dir: , use_visualdl: false, infer_img: doc/word_1.jpg, character_dict_path: , max_text_length: 25,
   infer_mode: false, use_space_char: false, save_res_path: ./output/rec/predicts.txt}""")
CHINESE = {"character_dict_path": KEYS, "use_space_char": True}
NEWER = CHINESE | {"debug": False, "distributed": True, "epoch_num": 200, "save_epoch_step": 10}
STATIC = {"d2s_train_image_shape": [3, 48, 320]}
CTC = {
    "Loss": {"name": "CTCLoss"},
    "PostProcess": {"name": "CTCLabelDecode"},
    "Metric": {"name": "RecMetric", "main_indicator": "acc"},
}
ATTENTION = CTC | {"Loss": {"name": "AttentionLoss"}, "PostProcess": {"name": "AttnLabelDecode"}}
GUIDED = CTC | {"Loss": {"name": "MultiLoss", "loss_config_list": [{"CTCLoss": None}, {"NRTRLoss": None}]}}

DECODE = {"DecodeImage": {"img_mode": "BGR", "channel_first": False}}
ENCODE_BOTH = {"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}}
RESIZE = {"RecResizeImg": {"image_shape": [3, 48, 320]}}
KEEP = {"KeepKeys": {"keep_keys": ["image", "label", "length"]}}
KEEP_BOTH = {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}}


def loader(lines: int, workers: int, shuffle: bool, drop_last: bool, **more: Any) -> Config:
    told = {"shuffle": shuffle, "batch_size_per_card": lines, "drop_last": drop_last, "num_workers": workers}
    return told | more


def listed(part: str, transforms: list[Config], name: str = "SimpleDataSet", **more: Any) -> Config:
    lists = [f"./train_data/{part}_list.txt"]
    return {"name": name, "data_dir": "./train_data", "label_file_list": lists, "transforms": transforms, **more}


def in_lmdb(part: str, transforms: list[Config]) -> Config:
    return {"name": "LMDBDataSet", "data_dir": f"./train_data/data_lmdb_release/{part}/", "transforms": transforms}


def one_by_one(encode: Config, workers: int) -> Config:
    """Eval where lines keep their width; labels are told anew what Global says."""
    encode = {"character_dict_path": KEYS, "use_space_char": True} | encode
    resize = {"image_shape": [3, 48, 320], "eval_mode": True}
    transforms = [DECODE, {"MultiLabelEncode": encode}, {"RecResizeImg": resize}, KEEP_BOTH]
    return {"dataset": listed("val", transforms), "loader": loader(1, workers, False, False)}


def adam(rate: float, factor: float, warmup: int | None = None) -> Config:
    schedule = {} if warmup is None else {"name": "Cosine", "warmup_epoch": warmup}
    regulariser = {"regularizer": {"name": "L2", "factor": factor}}
    return {"name": "Adam", "beta1": 0.9, "beta2": 0.999, "lr": {"learning_rate": rate} | schedule} | regulariser


def adamw(rate: float, decay: float, beta2: float, warmup: int, spared: str) -> Config:
    decays = {"weight_decay": decay, "no_weight_decay_name": spared, "one_dim_param_no_weight_decay": True}
    schedule = {"name": "Cosine", "learning_rate": rate, "warmup_epoch": warmup}
    return {"name": "AdamW", "beta1": 0.9, "beta2": beta2, "epsilon": 1e-8, "lr": schedule} | decays


def heads(neck: Config, head: Config | None = None, **guide: Any) -> Config:
    ctc = {"Neck": neck, "Head": {**(head or {}), "fc_decay": 1e-5}}
    guide = {"nrtr_dim": 384, "max_text_length": 25} | guide
    return {"name": "MultiHead", "head_list": [{"CTCHead": ctc}, {"NRTRHead": guide}]}


def svtr_heads(dims: int, **guide: Any) -> Config:
    sizes = {"dims": dims, "depth": 2, "hidden_dims": dims, "kernel_size": [1, 3], "use_guide": True}
    return heads({"name": "svtr"} | sizes, **guide)


def recogniser(algorithm: str, backbone: Config, head: Config, transform: Config | None = None, **more: Any) -> Config:
    parts = {"Transform": transform, "Backbone": backbone, "Head": head}
    return {"model_type": "rec", "algorithm": algorithm, **parts, **more}


# PP-OCR with two heads: lines of several heights


def ppocr(given: Config, optimizer: Config, architecture: Config, lines: int, join: bool = True, **more: Any) -> Config:
    """`lines` is the first scale's batch size; `more` goes into Train.dataset, but for whole sections."""
    joined = {"prob": 0.5, "ext_data_num": 2, "image_shape": [48, 320, 3], "max_text_length": 25}
    transforms = [DECODE, *([{"RecConAug": joined}] if join else []), {"RecAug": None}, ENCODE_BOTH, KEEP_BOTH]
    sections = {key: more.pop(key) for key in list(more) if key[0].isupper() or key == "profiler_options"}
    sampler = {"name": "MultiScaleSampler", "scales": [[320, 32], [320, 48], [320, 64]], "first_bs": lines}
    sampler |= {"fix_bs": False, "divided_factor": [8, 16], "is_training": True}
    dataset = listed("train", transforms, "MultiScaleDataSet", ds_width=False, ext_op_transform_idx=1, **more)
    evaluated = listed("val", [DECODE, ENCODE_BOTH, RESIZE, KEEP_BOTH])
    return {
        "Global": GLOBAL | NEWER | given,
        "Optimizer": optimizer,
        "Architecture": architecture,
        **GUIDED,
        "Train": {"dataset": dataset, "sampler": sampler, "loader": loader(lines, 8, True, True)},
        "Eval": {"dataset": evaluated, "loader": loader(128, 4, False, False)},
        **sections,
    }


SVTRV2 = yaml.safe_load("""
  {name: SVTRv2, use_pos_embed: false, dims: [128, 256, 384], depths: [6, 6, 6], num_heads: [4, 8, 12],
   mixer: [[Conv, Conv, Conv, Conv, Conv, Conv], [Conv, Conv, Global, Global, Global, Global],
           [Global, Global, Global, Global, Global, Global]],
   local_k: [[5, 5], [5, 5], [-1, -1]], sub_k: [[2, 1], [2, 1], [-1, -1]], last_stage: false, use_pool: true}""")


def svtrv2(given: Config, backbone: Config, decay: float) -> Config:
    given = {"eval_batch_step": [0, 1000], "cal_metric_during_train": False} | given
    architecture = recogniser("SVTR_HGNet", backbone, svtr_heads(256, num_decoder_layers=2))
    return ppocr(given, adamw(0.001, decay, 0.999, 5, "norm"), architecture, 192, join=False)


def lcnet_v3(given: Config, rate: float, lines: int, **more: Any) -> Config:
    architecture = recogniser("SVTR_LCNet", {"name": "PPLCNetV3", "scale": 0.95}, svtr_heads(120))
    return ppocr(given, adam(rate, 3e-5, 5), architecture, lines, **more)


def lcnet_v4(given: Config, rate: float, lines: int, backbone: Config, head: Config, **more: Any) -> Config:
    architecture = recogniser("SVTR_LCNet", {"name": "PPLCNetV4"} | backbone, head)
    return ppocr({"epoch_num": 100} | given, adam(rate, 3e-5, 5), architecture, lines, **more)


def named(name: str, **more: Any) -> Config:
    return {"model_name": name} | STATIC | more


# distillation


def distilled(given: Config, optimizer: Config, teacher: Config, student: Config, metric: Config, lines: int) -> Config:
    output = {"key": "head_out", "multi_head": True}
    pair = {"model_name_pairs": [["Student", "Teacher"]], "key": "head_out"}
    one = {"weight": 1.0, "model_name_list": ["Student"]} | output
    dkd = {"weight": 0.1, "multi_head": True, "alpha": 1.0, "beta": 2.0, "dis_head": "gtc", "name": "dkd"} | pair
    losses = [
        {"DistillationDKDLoss": dkd},
        {"DistillationCTCLoss": one},
        {"DistillationNRTRLoss": one | {"smoothing": False}},
        {"DistillCTCLogits": {"weight": 1.0, "reduction": "mean"} | pair},
    ]
    models = {
        "Teacher": {"freeze_params": True, "return_all_feats": True} | teacher,
        "Student": {"freeze_params": False, "return_all_feats": True} | student,
    }
    scored = {"name": "DistillationMetric", "base_metric_name": "RecMetric", "main_indicator": "acc", "key": "Student"}
    architecture = {"model_type": "rec", "name": "DistillationModel", "algorithm": "Distillation", "Models": models}
    return ppocr(given, optimizer, architecture, lines, join=False) | {
        "Loss": {"name": "CombinedLoss", "loss_config_list": losses},
        "PostProcess": {"name": "DistillationCTCLabelDecode", "model_name": ["Student"]} | output,
        "Metric": scored | metric,
    }


def svtrv2_distilled(student: str, suffix: str) -> Config:
    head = svtr_heads(256, num_decoder_layers=2)
    teacher = recogniser("SVTR_LCNet", SVTRV2, head, pretrained=f"./output/ch_SVTRv2_rec{suffix}/best_accuracy")
    weights = f"./output/ch_RepSVTR_rec{suffix}/best_accuracy"
    student = recogniser("SVTR_LCNet", {"name": student}, head, pretrained=weights)
    given = {"epoch_num": 100, "save_epoch_step": 5, "eval_batch_step": [0, 1000], "cal_metric_during_train": False}
    spared = "norm pos_embed patch_embed downsample"
    return distilled(given, adamw(2e-4, 0.05, 0.99, 5, spared), teacher, student, {}, 192)


def lcnet_v3_distilled() -> Config:
    """Data of one size; the only file with `ext_data_ratio_list`."""
    teacher = SVTR_TINY | {"img_size": [48, 320], "out_char_num": 40, "last_stage": False, "prenorm": True}
    teacher |= {"mixer": ["Conv"] * 6 + ["Global"] * 6, "local_mixer": [[5, 5], [5, 5], [5, 5]]}
    config = distilled(
        {"save_epoch_step": 40, "checkpoints": "./output/rec/latest"},
        adam(0.001, 3e-5, 2),
        recogniser("SVTR", teacher, svtr_heads(120), pretrained=None),
        recogniser("SVTR", {"name": "PPLCNetV3", "scale": 0.95}, svtr_heads(120), pretrained=None),
        {"ignore_space": False},
        128,
    )
    trained = listed(
        "train",
        [DECODE, {"RecAug": None}, ENCODE_BOTH, RESIZE, KEEP_BOTH],
        label_file_list=["a.txt", "b.txt", "c.txt"],
        ratio_list=[1.0, 0.5, 0.025],
        ext_data_ratio_list=[1.0, 0.0, 0.0],
    )
    return config | {
        "Train": {"dataset": trained, "loader": loader(128, 8, True, True, use_shared_memory=True)},
        "Eval": one_by_one({"max_text_length": 600}, 16),
        "profiler_options": None,
    }


# CRNN, STARNet, RARE: English, LMDB, lines of 32x100


def scene_text(algorithm: str, tps: str | None, server: bool, given: Config, factor: float, **more: Any) -> Config:
    attention, hidden = algorithm == "RARE", 256 if server else 96
    small, large = {"name": "MobileNetV3", "scale": 0.5, "model_name": "large"}, {"name": "ResNet", "layers": 34}
    head = {"name": "AttentionHead", "hidden_size": hidden} if attention else {"name": "CTCHead"}
    transform = tps and {"name": "TPS", "num_fiducial": 20, "loc_lr": 0.1, "model_name": tps}
    neck = {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": hidden}
    encode = {"AttnLabelEncode" if attention else "CTCLabelEncode": None}
    transforms = [DECODE, encode, {"RecResizeImg": {"image_shape": [3, 32, 100]}}, KEEP]
    dataset = {part: in_lmdb(part, transforms) for part in ("training", "validation")}
    return {
        "Global": GLOBAL | given,
        "Optimizer": adam(5e-4, factor),
        "Architecture": recogniser(algorithm, large if server else small, head | more, transform, Neck=neck),
        **(ATTENTION if attention else CTC),
        "Train": {"dataset": dataset["training"], "loader": loader(256, 8, server or attention, True)},
        "Eval": {"dataset": dataset["validation"], "loader": loader(256, 4, False, False)},
    }


# SVTR

SVTR_TINY = yaml.safe_load("""
  {name: SVTRNet, img_size: [32, 100], out_char_num: 25, out_channels: 192, patch_merging: Conv,
   embed_dim: [64, 128, 256], depth: [3, 6, 3], num_heads: [2, 4, 8],
   mixer: [Local, Local, Local, Local, Local, Local, Global, Global, Global, Global, Global, Global],
   local_mixer: [[7, 11], [7, 11], [7, 11]], last_stage: true, prenorm: false}""")
RECTIFIED = yaml.safe_load("""
  {name: STN_ON, tps_inputsize: [32, 64], tps_outputsize: [32, 100], num_control_points: 20,
   tps_margins: [0.05, 0.05], stn_activation: none}""")


def svtr(given: Config, backbone: Config, transform: Config | None, datasets: list[Config], lines: int) -> Config:
    neck = {"name": "SequenceEncoder", "encoder_type": "reshape"}
    return {
        "Global": GLOBAL | given,
        "Optimizer": adamw(5e-4, 0.05, 0.99, 2, "norm pos_embed"),
        "Architecture": recogniser("SVTR", SVTR_TINY | backbone, {"name": "CTCHead"}, transform, Neck=neck),
        **CTC,
        "Train": {"dataset": datasets[0], "loader": loader(lines, 8, True, True)},
        "Eval": {"dataset": datasets[1], "loader": loader(256, 2, False, False)},
    }


def svtr_english() -> Config:
    resize = {"SVTRRecResizeImg": {"image_shape": [3, 64, 256], "padding": False, "character_dict_path": None}}
    augments = {"training": [{"SVTRRecAug": {"aug_type": 0}}], "evaluation": []}
    lmdb = [in_lmdb(part, [DECODE, *own, {"CTCLabelEncode": None}, resize, KEEP]) for part, own in augments.items()]
    given = {"epoch_num": 20, "save_epoch_step": 1, "character_type": "en", "d2s_train_image_shape": [3, 64, 256]}
    return svtr(given, {}, RECTIFIED, lmdb, 512)


def svtr_chinese() -> Config:
    encode = [{"CTCLabelEncode": None}, {"SVTRRecResizeImg": {"image_shape": [3, 32, 320], "padding": True}}, KEEP]
    joined = {"prob": 0.5, "ext_data_num": 2, "image_shape": [32, 320, 3]}
    trained = [DECODE, {"RecConAug": joined}, {"RecAug": None}, *encode]
    datasets = [listed("train", trained, ext_op_transform_idx=1), listed("val", [DECODE, *encode])]
    given = {"epoch_num": 100, "save_epoch_step": 10, "d2s_train_image_shape": [3, 32, 320]} | CHINESE
    backbone = {"img_size": [32, 320], "out_char_num": 40, "out_channels": 96}
    return svtr(given, backbone, None, datasets, 256) | {"profiler_options": None}


# the files

EN = {"character_dict_path": "ppocr/utils/en_dict.txt", "epoch_num": 50, "pretrained_model": "refactor"}
V5 = {"character_dict_path": "./ppocr/utils/dict/ppocrv5_dict.txt"}
V6_TINY = named("PP-OCRv6_tiny_rec", character_dict_path="ppocr/utils/dict/ppocrv6_tiny_dict.txt")
V6_SMALL = named("PP-OCRv6_small_rec", character_dict_path="ppocr/utils/dict/ppocrv6_dict.txt")
V6_MEDIUM = V6_SMALL | {"model_name": "PP-OCRv6_medium_rec"}
FIRST_TINY = {"use_rep": True, "stem_type": "simple", "config_name": "tiny", "stem_channels": 48}
FIRST_SMALL = {"use_rep": True, "stem_type": "branch"}
LONG = {"max_text_length": 100, "gtc_encode": "NRTRLabelEncode"}
SPACES_COUNT = {"Metric": CTC["Metric"] | {"ignore_space": False}, "profiler_options": None}
REDUCED = heads({"name": "reshape"}, {"mid_channels": 80, "use_guide": True})
LIGHT = {"name": "lightsvtr", "dims": 120, "depth": 2, "mlp_ratio": 2.0, "local_kernel": 7}
WIDER = {"dims": 192, "mlp_ratio": 4.0, "use_guide": False}
FILES = {
    "SVTRv2/ch_SVTRv2_rec": svtrv2(named("ch_SVTRv2_rec"), SVTRV2, 0.05),
    "SVTRv2/ch_SVTRv2_rec_gtc": svtrv2({}, SVTRV2, 0.05),
    "SVTRv2/ch_SVTRv2_rec_distillation": svtrv2_distilled("RepSVTR", ""),
    "SVTRv2/ch_SVTRv2_rec_gtc_distill": svtrv2_distilled("repvit_svtr", "_gtc"),
    "SVTRv2/ch_RepSVTR_rec": svtrv2(named("ch_RepSVTR_rec"), {"name": "RepSVTR"}, 0.025),
    "SVTRv2/ch_RepSVTR_rec_gtc": svtrv2({}, {"name": "RepSVTR"}, 0.025),
    "PP-OCRv4/ch_PP-OCRv4_rec": lcnet_v3({}, 0.001, 128, Eval=one_by_one(LONG, 4)),
    "PP-OCRv4/PP-OCRv4_mobile_rec": lcnet_v3(named("PP-OCRv4_mobile_rec"), 0.001, 192),
    "PP-OCRv4/en_PP-OCRv4_rec": lcnet_v3(EN, 5e-4, 96, **SPACES_COUNT),
    "PP-OCRv4/ch_PP-OCRv4_rec_distill": lcnet_v3_distilled(),
    "PP-OCRv5/PP-OCRv5_mobile_rec": lcnet_v3(named("PP-OCRv5_mobile_rec", epoch_num=75) | V5, 5e-4, 128),
    "PP-OCRv6/PP-OCRv6_tiny_rec": lcnet_v4(V6_TINY, 0.001, 128, {"model_size": "tiny"}, REDUCED),
    "PP-OCRv6/PP-OCRv6_tiny_rec, first revision": lcnet_v4(V6_TINY | CHINESE, 0.001, 128, FIRST_TINY, REDUCED),
    "PP-OCRv6/PP-OCRv6_small_rec": lcnet_v4(V6_SMALL, 5e-4, 128, {"model_size": "small"}, heads(LIGHT)),
    "PP-OCRv6/PP-OCRv6_small_rec, first revision": lcnet_v4(V6_SMALL | V5, 5e-4, 128, FIRST_SMALL, heads(LIGHT)),
    "PP-OCRv6/PP-OCRv6_medium_rec": lcnet_v4(
        V6_MEDIUM, 5e-4, 64, {"model_size": "medium"}, heads(LIGHT | WIDER, nrtr_dim=512), ratio_list=[0.5]
    ),
    "rec_svtrnet": svtr_english(),
    "rec_svtrnet_ch": svtr_chinese(),
    "rec_mv3_none_bilstm_ctc": scene_text("CRNN", None, False, {}, 0, fc_decay=0),
    "rec_r34_vd_none_bilstm_ctc": scene_text("CRNN", None, True, {}, 0, fc_decay=0),
    "rec_mv3_tps_bilstm_ctc": scene_text("STARNet", "small", False, {}, 0, fc_decay=4e-4),
    "rec_r34_vd_tps_bilstm_ctc": scene_text("STARNet", "large", True, {}, 0, fc_decay=0),
    "rec_mv3_tps_bilstm_att": scene_text("RARE", "small", False, {}, 1e-5),
    "rec_r34_vd_tps_bilstm_att": scene_text("RARE", "large", True, {"epoch_num": 400}, 0, l2_decay=1e-5),
}
CANVASES = {  # by the end of the name: height and width in pixels, no other size, stretched
    "tps_bilstm_ctc": Canvas(32, 100, True, False),
    "tps_bilstm_att": Canvas(32, 100, True, False),
    "none_bilstm_ctc": Canvas(32, 100, False, False),
    "rec_svtrnet": Canvas(64, 256, True, True),
    "rec_svtrnet_ch": Canvas(32, 320, True, False),
    "PP-OCRv4_rec_distill": Canvas(48, 320, True, False),  # the teacher's
    "": Canvas(48, 320, False, False),
}
MISNAMED = "Models.Student.Backbone.name is 'repvit_svtr', which exists nowhere; building 'RepSVTR'"


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_paddleocrs_loads_unedited_and_its_parts_are_built(tmp_path, name):
    settings, characters = FILES[name], Charset.default().characters
    if settings["Global"]["character_dict_path"]:  # a short one in its place, which is built faster
        characters = ("一", "丁", "A", "7", "。", " ")
        Charset(characters, use_space_char=True).write(tmp_path / "dictionary.txt")
        dictionary = {"character_dict_path": str(tmp_path / "dictionary.txt")}
        settings = settings | {"Global": settings["Global"] | dictionary}
    (tmp_path / "upstream.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    config = load_config(tmp_path / "upstream.yml")
    assert without_nothing(config.model_dump(exclude_unset=True)) == without_nothing(settings)

    misnamed = name.endswith("gtc_distill")
    with pytest.warns(UserWarning, match=MISNAMED) if misnamed else nullcontext():
        model = build_model(config)
    assert model.charset.characters == characters
    if config.Architecture.algorithm == "Distillation":
        assert (model.names, model.frozen, model.student_name) == (["Teacher", "Student"], ["Teacher"], "Student")
    assert not misnamed or isinstance(model.student.backbone, BACKBONES["RepSVTR"])
    assert callable(build_loss(config))

    canvas = next(canvas for end, canvas in CANVASES.items() if name.endswith(end))
    assert [canvas_of(config, model.input_size, part) for part in ("Train", "Eval")] == [canvas, canvas]
    plans = training_sampler(config, LINES, seed=0).plan(epoch=0)
    assert {plan.height_px for plan in plans} == ({32, 48, 64} if config.Train.sampler else {canvas.height_px})
    assert max(len(plan.indices) for plan in plans) == config.Train.loader.batch_size_per_card

    optimiser = build_optimiser(config, model, epochs=20, steps_per_epoch=10)
    rates = config.Optimizer.lr
    assert type(optimiser).__name__ == config.Optimizer.name
    assert optimiser.get_lr() == (0 if rates.warmup_epoch else rates.learning_rate)


def test_what_these_files_say_that_does_nothing_here_is_known_and_listed():
    said = {key.rsplit(".", 1)[-1] for settings in FILES.values() for key in load_config(settings).ignored}
    in_global = {"debug", "distributed", "d2s_train_image_shape", "character_type", "cal_metric_during_train"}
    prediction = {"infer_img", "infer_mode", "save_res_path"}
    labels = {"gtc_encode", "max_text_length", "character_dict_path", "use_space_char", "KeepKeys"}
    data = {"ext_op_transform_idx", "ext_data_ratio_list", "is_training", "eval_mode", "use_shared_memory"}
    others = {"SVTRRecAug", "return_all_feats", "key", "multi_head", "reduction", "ignore_space"}
    sections = {"PostProcess", "loader"}  # Eval's
    assert said == in_global | prediction | labels | data | others | sections


def test_every_dictionary_that_they_name_is_bundled():
    named = {settings["Global"]["character_dict_path"] for settings in FILES.values()} - {None}
    bundled = {"ppocr_keys_v1.txt", "en_dict.txt", "ppocrv5.txt", "ppocrv6.txt", "ppocrv6_tiny.txt"}
    assert {charset_path(path).name for path in named} == bundled


@pytest.mark.parametrize(
    ("file", "classes", "sha256"),
    [  # classes of the official weights: blank, the lines, the space
        ("ppocr_keys_v1.txt", 6625, None),
        ("ppocrv5.txt", 18385, "d1979e9f794c464c0d2e0b70a7fe14dd978e9dc644c0e71f14158cdf8342af1b"),
        ("ppocrv6.txt", 18710, "b5f2bfe2bdd9448429e3e82b51c789775d9b42f2403d082b00662eb77e401c5d"),
        ("ppocrv6_tiny.txt", 6906, "c5cbe34ef40c29c4df07ed012bf96569cb69a2d2a01a07027e9f13cb832bd9cd"),
        ("en_dict.txt", 97, None),
    ],
)
def test_the_bundled_dictionaries_are_those_of_the_official_weights(file, classes, sha256):
    path = charset_path(f"ppocr/utils/dict/{file}")
    assert Charset.from_file(path, use_space_char=True).num_classes == classes
    assert sha256 in (None, hashlib.sha256(path.read_bytes()).hexdigest())
