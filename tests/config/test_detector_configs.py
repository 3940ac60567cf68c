"""PaddleOCR's own YAMLs of two detectors load unedited: every key is known, or listed as without meaning here.

Written from reading configs/det/det_repsvtr_db.yml and configs/det/PP-OCRv4/PP-OCRv4_mobile_det.yml; names of folders
and pictures are shortened.
"""

from __future__ import annotations

import numpy as np
import paddle
import pytest
import yaml
from paddleocr_files import config_file

from scenetext.config import load_config
from scenetext.data.detection.resize import DetectionSize
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.targets import MapTargets
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.train.losses.db import detector_loss

NORMALISE = "{scale: 1./255., mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], order: hwc}"
REPSVTR = f"""
Global:
  debug: false
  use_gpu: true
  epoch_num: &epoch_num 500
  log_smooth_window: 20
  print_batch_step: 100
  save_model_dir: ./output/det
  save_epoch_step: 10
  eval_batch_step: [0, 1000]
  cal_metric_during_train: false
  checkpoints:
  pretrained_model:
  save_inference_dir: null
  use_visualdl: false
  infer_img: doc/img_10.jpg
  save_res_path: ./checkpoints/predicts_db.txt
  distributed: true
Architecture:
  model_type: det
  algorithm: DB
  Transform: null
  Backbone: {{name: RepSVTR_det}}
  Neck: {{name: RSEFPN, out_channels: 96, shortcut: True}}
  Head: {{name: DBHead, k: 50}}
Loss: {{name: DBLoss, balance_loss: true, main_loss_type: DiceLoss, alpha: 5, beta: 10, ohem_ratio: 3}}
Optimizer:
  name: Adam
  beta1: 0.9
  beta2: 0.999
  lr: {{name: Cosine, learning_rate: 0.001, warmup_epoch: 2}}
  regularizer: {{name: L2, factor: 5.0e-05}}
PostProcess: {{name: DBPostProcess, thresh: 0.3, box_thresh: 0.6, max_candidates: 1000, unclip_ratio: 1.5}}
Metric: {{name: DetMetric, main_indicator: hmean}}
Train:
  dataset:
    name: SimpleDataSet
    data_dir: ./train_data/
    label_file_list: [./train_data/train_label.txt]
    ratio_list: [1.0]
    transforms:
    - DecodeImage: {{img_mode: BGR, channel_first: false}}
    - DetLabelEncode: null
    - CopyPaste: null
    - IaaAugment:
        augmenter_args:
        - {{type: Fliplr, args: {{p: 0.5}}}}
        - {{type: Affine, args: {{rotate: [-10, 10]}}}}
        - {{type: Resize, args: {{size: [0.5, 3]}}}}
    - EastRandomCropData: {{size: [640, 640], max_tries: 50, keep_ratio: true}}
    - MakeBorderMap: {{shrink_ratio: 0.4, thresh_min: 0.3, thresh_max: 0.7, total_epoch: *epoch_num}}
    - MakeShrinkMap: {{shrink_ratio: 0.4, min_text_size: 8, total_epoch: *epoch_num}}
    - NormalizeImage: {NORMALISE}
    - ToCHWImage: null
    - KeepKeys: {{keep_keys: [image, threshold_map, threshold_mask, shrink_map, shrink_mask]}}
  loader: {{shuffle: true, drop_last: false, batch_size_per_card: 8, num_workers: 8}}
Eval:
  dataset:
    name: SimpleDataSet
    data_dir: ./train_data/
    label_file_list: [./train_data/test_label.txt]
    transforms:
    - DecodeImage: {{img_mode: BGR, channel_first: false}}
    - DetLabelEncode: null
    - DetResizeForTest:
    - NormalizeImage: {NORMALISE}
    - ToCHWImage: null
    - KeepKeys: {{keep_keys: [image, shape, polys, ignore_tags]}}
  loader: {{shuffle: false, drop_last: false, batch_size_per_card: 1, num_workers: 2}}
profiler_options: null
"""
MOBILE = (
    REPSVTR.replace("{name: RepSVTR_det}", "{name: PPLCNetV3, scale: 0.75, det: True}")
    .replace("k: 50}", "k: 50, fix_nan: True}")
    .replace("Global:\n", "Global:\n  model_name: PP-OCRv4_mobile_det\n  d2s_train_image_shape: [3, 640, 640]\n")
    .replace("pretrained_model:\n", "pretrained_model: https://host/pretrained/PPLCNetV3_x0_75_ocr_det.pdparams\n")
)
SMALL = (
    REPSVTR.replace("{name: RepSVTR_det}", "{name: PPLCNetV4, det: true, model_size: small}")
    .replace("RSEFPN, out_channels: 96", "RepLKFPN, out_channels: 96, dilated_kernel_size: 7")
    .replace("k: 50}", "k: 50, fix_nan: true, aux_in_channels: 96}")
    .replace("balance_loss: true, main_loss_type: DiceLoss", "main_loss_type: DiceFocalLoss")
    .replace(
        "ohem_ratio: 3",
        "focal_alpha: 0.25, focal_gamma: 2.5, aux_weight_p4: 0.2, aux_weight_p3: 0.3, aux_weight_p2: 0.4",
    )
    .replace("Global:\n", "Global:\n  use_ema: true\n  ema_decay: 0.9997\n  ema_decay_type: threshold\n")
    .replace("rotate: [-10, 10]", "p: 0.5, rotate: [-45, 45], fit_output: true")
    .replace("EastRandomCropData", "RandomCrop")
)
"""Of configs/det/PP-OCRv6/PP-OCRv6_small_det.yml what differs from the file above."""
PARAMETERS = {"RepSVTR_det": (REPSVTR, 3_127_722), "PPLCNetV3": (MOBILE, 3_515_290)}


@pytest.mark.parametrize(("name", "text", "parameters"), [(name, *own) for name, own in PARAMETERS.items()])
def test_a_detectors_file_loads_unedited_and_builds_its_network(tmp_path, name, text, parameters):
    config = load_config(config_file(tmp_path, text))
    assert config.Architecture.Backbone["name"] == name and config.Metric.main_indicator == "hmean"
    listed = {key.rpartition(".")[2] for key in config.ignored}
    assert listed >= {"total_epoch", "ToCHWImage", "KeepKeys", "distributed", "debug"}
    assert not listed & {"thresh", "size", "rotate", "mean", "alpha", "CopyPaste", "shrink_ratio"}
    model = build_model(config)
    state = model.state_dict()
    assert sum(v.size for k, v in state.items() if not k.endswith(("._mean", "._variance"))) == parameters
    settings = DetectionSettings.of(config)
    assert settings.size == DetectionSize() and (settings.rule.box_thresh, settings.rule.unclip_ratio) == (0.6, 1.5)
    again = load_config(config.model_dump())
    assert again.model_dump() == config.model_dump()


def test_ppocrv6s_file_loads_unedited_and_trains_its_auxiliary_heads(tmp_path):
    config = load_config(config_file(tmp_path, SMALL))
    assert config.Global.use_ema and config.Global.ema_decay == 0.9997
    model = build_model(config)
    images = paddle.rand([1, 3, 64, 96])
    outputs = model(images)
    text = paddle.zeros([1, 64, 96])
    text[:, 20:40, 10:80] = 1
    losses = detector_loss(outputs, MapTargets(0.5 * text, text, text, paddle.ones_like(text)), config.Loss)
    parts = [float(losses[f"loss_aux_maps_{level}"]) for level in ("p4", "p3", "p2")]
    alone = sum(float(losses[f"loss_{name}_maps"]) for name in ("shrink", "threshold", "binary"))
    assert float(losses["loss"]) == pytest.approx(alone + np.dot((0.2, 0.3, 0.4), parts), rel=1e-5)
    losses["loss"].backward()
    trained = [key for key, tensor in model.named_parameters() if tensor.grad is not None]
    assert len([key for key in trained if key.startswith("head.aux_")]) == 6 * 9
    model.eval()
    before = model(images).numpy()
    model.drop_auxiliary_branch()
    assert not [key for key in model.state_dict() if key.startswith("head.aux_")]
    np.testing.assert_array_equal(model(images).numpy(), before)


AUXILIARY = {
    "a neck that gives no sums": ({"Neck": {"name": "RSEFPN", "out_channels": 96}}, "has none to give: set it to 0"),
    "another width": ({"Head": {"name": "DBHead", "aux_in_channels": 64}}, "has 96 channels: set it to 96"),
}


@pytest.mark.parametrize(("parts", "told"), AUXILIARY.values(), ids=AUXILIARY)
def test_auxiliary_heads_that_do_not_fit_are_refused(tmp_path, parts, told):
    value = yaml.safe_load(SMALL)
    value["Architecture"] |= parts
    with pytest.raises(InputError, match=told):
        build_model(value)


def test_settings_that_are_left_out_have_paddleocrs_defaults(tmp_path):
    config = load_config(config_file(tmp_path, REPSVTR, "a.yml"), ["PostProcess={name: DBPostProcess}"])
    value = yaml.safe_load(REPSVTR)
    del value["Metric"], value["PostProcess"]
    bare = load_config(value)
    assert bare.Metric.name == "DetMetric" and not bare.has("PostProcess")
    assert config.PostProcess.unclip_ratio == 1.5  # a mapping is joined with what was there


WRONG = {
    "another factor": ("NormalizeImage.scale=1./128.", r"scale must be 1\./255\."),
    "an unknown augmenter": ("IaaAugment.augmenter_args=[{type: Blur}]", "a list of augmenters: `type` Fliplr"),
    "an unknown argument": ("IaaAugment.augmenter_args=[{type: Fliplr, args: {q: 1}}]", "must be a list of augmenters"),
    "a reversed interval": ("IaaAugment.augmenter_args=[{type: Resize, args: {size: [3, 1]}}]", "list of augmenters"),
    "a ratio of 1": ("MakeShrinkMap.shrink_ratio=1", "has to lie between 0 and 1"),
    "a size of 0": ("EastRandomCropData.size=[0, 640]", "a list of 2 whole numbers of at least 1"),
}


@pytest.mark.parametrize(("override", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named(tmp_path, override, told):
    with pytest.raises(InputError, match=told):
        load_config(config_file(tmp_path, REPSVTR), [f"Train.dataset.transforms.{override}"])
