"""The route of the competition's tutorials, which use PaddleOCR: its YAML, label files by pandas, the 10 MB rule.

PaddleOCR's `rec_chinese_lite_train_v2.0.yml` runs with the paths changed. What differs is said: a character outside the
dictionary stops training until one key says otherwise, and labels that pandas quoted are counted.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from drawn import draw_digits

from scenetext.cli import main
from scenetext.text.label_files import read_label_file

TUTORIAL = """
Global:
  use_gpu: true
  epoch_num: 500
  log_smooth_window: 20
  print_batch_step: 10
  save_model_dir: {folder}/output/rec_chinese_lite_v2.0
  save_epoch_step: 3
  # evaluation is run every 5000 iterations after the 4000th iteration
  eval_batch_step: [0, 2000]
  cal_metric_during_train: True
  pretrained_model:
  checkpoints:
  save_inference_dir:
  use_visualdl: True
  infer_img: doc/imgs_words/ch/word_1.jpg
  # for data or label process
  character_dict_path: ppocr/utils/ppocr_keys_v1.txt
  max_text_length: 25
  infer_mode: False
  use_space_char: True
  save_res_path: ./output/rec/predicts_chinese_lite_v2.0.txt
Optimizer:
  name: Adam
  beta1: 0.9
  beta2: 0.999
  lr: {{name: Cosine, learning_rate: 0.001, warmup_epoch: 5}}
  regularizer: {{name: 'L2', factor: 0.00001}}
Architecture:
  model_type: rec
  algorithm: CRNN
  Transform:
  Backbone: {{name: MobileNetV3, scale: 0.5, model_name: small, small_stride: [1, 2, 2, 2]}}
  Neck: {{name: SequenceEncoder, encoder_type: rnn, hidden_size: 48}}
  Head: {{name: CTCHead, fc_decay: 0.00001}}
Loss: {{name: CTCLoss}}
PostProcess: {{name: CTCLabelDecode}}
Metric: {{name: RecMetric, main_indicator: acc}}
Train:
  dataset: &dataset
    name: SimpleDataSet
    data_dir: {folder}/images
    label_file_list: ["{folder}/train.txt"]
    transforms:
      - DecodeImage: {{img_mode: BGR, channel_first: False}}
      - RecAug:
      - CTCLabelEncode:
      - RecResizeImg: {{image_shape: [3, 32, 320]}}
      - KeepKeys: {{keep_keys: ['image', 'label', 'length']}}
  loader: {{shuffle: True, batch_size_per_card: 256, drop_last: True, num_workers: 8}}
Eval:
  dataset:
    name: SimpleDataSet
    data_dir: {folder}/images
    label_file_list: ["{folder}/val.txt"]
    transforms:
      - DecodeImage: {{img_mode: BGR, channel_first: False}}
      - CTCLabelEncode:
      - RecResizeImg: {{image_shape: [3, 32, 320]}}
      - KeepKeys: {{keep_keys: ['image', 'label', 'length']}}
  loader: {{shuffle: False, drop_last: False, batch_size_per_card: 256, num_workers: 8}}
"""
SMALL = ("Global.epoch_num=1", "Global.eval_batch_epoch=1", "Train.loader.batch_size_per_card=4")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures, the label files as the tutorials write them, and the YAML with absolute paths."""
    folder = draw_digits(tmp_path_factory.mktemp("aistudio"), 14)
    labels = [row.split("\t")[1] for row in (folder / "train.txt").read_text(encoding="utf-8").splitlines()]
    labels[0] = '5"屏'  # pandas writes "5""屏"
    labels[1] += "氾"  # not in ppocr_keys_v1
    table = pd.DataFrame({"name": [f"{i}.png" for i in range(14)], "value": labels})
    table[:10].to_csv(folder / "train.txt", sep="\t", header=None, index=False)
    table[10:].to_csv(folder / "val.txt", sep="\t", header=None, index=False)
    (folder / "rec.yml").write_text(TUTORIAL.format(folder=folder.as_posix()), encoding="utf-8")
    return folder


def train(data: Path, *settings: str) -> int:
    return main(["train", "-c", str(data / "rec.yml"), "-o", *SMALL, *settings])


def test_a_character_outside_the_dictionary_names_the_key_that_drops_it(data: Path, capsys) -> None:
    assert train(data) == 2
    told = capsys.readouterr().err
    assert "'氾' (train.txt:2)" in told and "1 of 10 labels" in told and "Global.unknown_characters=drop" in told


def test_the_tutorial_s_yaml_trains_exports_within_10_mb_and_submits(data: Path, capsys) -> None:
    assert train(data, "Global.unknown_characters=drop") == 0
    run = data / "output" / "rec_chinese_lite_v2.0"
    log = (run / "train.log").read_text(encoding="utf-8")
    assert (
        "left out of 1 labels: 1 characters that the dictionary lacks, 1 in all, the most frequent '氾' 1 times" in log
    )
    assert "known to PaddleOCR, without meaning here: Global.infer_img" in log
    export = data / "export"
    assert (
        main(["export", "-c", str(run / "config.yml"), "--weights", str(run / "best_accuracy"), "--out", str(export)])
        == 0
    )
    assert sum(path.stat().st_size for path in export.iterdir()) <= 10_000_000  # the tutorials' `du`
    shutil.copytree(data / "images", data / "test_images")
    capsys.readouterr()
    assert (
        main(["submit", "--model", str(export), "--images", str(data / "test_images"), "--out", str(data / "out")]) == 0
    )
    rows = (data / "out" / "predicts.txt").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "new_name\tvalue" and [row.split("\t")[0] for row in rows[1:]] == [f"{i}.png" for i in range(14)]


def test_labels_that_pandas_quoted_are_read_without_its_quotes(data: Path) -> None:
    with pytest.warns(UserWarning, match="1 labels stand in quotes"):
        records = read_label_file(data / "train.txt")
    assert records.text(0) == '5"屏' and len(records) == 10
