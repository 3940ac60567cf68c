"""The keys and shapes that PaddleOCR's files for CRNN and for PP-OCR with two heads consist of, nulls and all."""

from __future__ import annotations

from pathlib import Path

CRNN = """
Global:
  use_gpu: true
  epoch_num: 500
  log_smooth_window: 20
  print_batch_step: 10
  save_model_dir: ./output/rec
  save_epoch_step: 3
  eval_batch_step: [0, 2000]
  cal_metric_during_train: True
  pretrained_model:
  checkpoints:
  save_inference_dir:
  use_visualdl: False
  infer_img: doc/imgs_words/ch/word_1.jpg
  character_dict_path: ppocr/utils/ppocr_keys_v1.txt
  character_type: ch
  max_text_length: 25
  infer_mode: False
  use_space_char: True
Optimizer:
  name: Adam
  beta1: 0.9
  beta2: 0.999
  lr: {name: Cosine, learning_rate: 0.001}
  regularizer: {name: 'L2', factor: 0}
Architecture:
  model_type: rec
  algorithm: CRNN
  Transform:
  Backbone: {name: MobileNetV3, scale: 0.5, model_name: small, small_stride: [1, 2, 2, 2]}
  Neck: {name: SequenceEncoder, encoder_type: rnn, hidden_size: 48}
  Head: {name: CTCHead, fc_decay: 0.00001}
Loss: {name: CTCLoss}
PostProcess: {name: CTCLabelDecode}
Metric: {name: RecMetric, main_indicator: acc}
Train:
  dataset:
    name: SimpleDataSet
    data_dir: ./train_data/
    label_file_list: ["./train_data/train_list.txt"]
    transforms:
      - DecodeImage: # load image
          img_mode: BGR
          channel_first: False
      - RecAug:
      - CTCLabelEncode: # Class handling label
      - RecResizeImg: {image_shape: [3, 32, 320]}
      - KeepKeys: {keep_keys: ['image', 'label', 'length']}
  loader: {shuffle: True, batch_size_per_card: 256, drop_last: True, num_workers: 8}
Eval:
  dataset:
    name: SimpleDataSet
    data_dir: ./train_data
    label_file_list: ["./train_data/val_list.txt"]
    transforms:
      - DecodeImage: {img_mode: BGR, channel_first: False}
      - CTCLabelEncode:
      - RecResizeImg: {image_shape: [3, 32, 320]}
      - KeepKeys: {keep_keys: ['image', 'label', 'length']}
  loader: {shuffle: False, drop_last: False, batch_size_per_card: 256, num_workers: 8}
"""
TWO_HEADS = """
Global:
  model_name: PP-OCRv5_mobile_rec # To use static model for inference.
  debug: false
  epoch_num: 75
  max_text_length: &max_text_length 25
  distributed: true
  d2s_train_image_shape: [3, 48, 320]
Optimizer:
  name: AdamW
  epsilon: 1.e-8
  weight_decay: 0.05
  no_weight_decay_name: norm pos_embed
  one_dim_param_no_weight_decay: True
  lr: {name: Cosine, learning_rate: 0.001, warmup_epoch: 5}
Architecture:
  model_type: rec
  algorithm: SVTR_HGNet
  Transform:
  Backbone: {name: SVTRv2, local_k: [[5, 5], [5, 5], [-1, -1]]}
  Head:
    name: MultiHead
    head_list:
      - CTCHead:
          Neck: {name: svtr, dims: 120, kernel_size: [1, 3], use_guide: True}
          Head: {fc_decay: 0.00001}
      - NRTRHead: {nrtr_dim: 384, max_text_length: *max_text_length}
Loss:
  name: MultiLoss
  loss_config_list:
    - CTCLoss:
    - NRTRLoss:
PostProcess: {name: CTCLabelDecode}
Metric: {name: RecMetric, main_indicator: acc, ignore_space: False}
Train:
  dataset:
    name: MultiScaleDataSet
    ds_width: false
    data_dir: ./train_data/
    ext_op_transform_idx: 1
    label_file_list: [./train_data/train_list.txt]
    ratio_list: [0.5]
    transforms:
    - DecodeImage: {img_mode: BGR, channel_first: false}
    - RecConAug: {prob: 0.5, ext_data_num: 2, image_shape: [48, 320, 3], max_text_length: *max_text_length}
    - RecAug:
    - MultiLabelEncode: {gtc_encode: NRTRLabelEncode}
    - KeepKeys: {keep_keys: [image, label_ctc, label_gtc, length, valid_ratio]}
  sampler:
    name: MultiScaleSampler
    scales: [[320, 32], [320, 48], [320, 64]]
    first_bs: &bs 128
    fix_bs: false
    divided_factor: [8, 16] # w, h
    is_training: True
  loader: {shuffle: true, batch_size_per_card: *bs, drop_last: true, num_workers: 8}
profiler_options: null
"""


def config_file(folder: Path, text: str, name: str = "config.yml") -> Path:
    """A file of that text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def value_at(config: object, key: str) -> object:
    """The value at a dotted key of a configuration; among the transforms an operation's name chooses."""
    value = config
    for part in key.split("."):
        if part != "transforms":
            found = value[part] if isinstance(value, dict) else getattr(value, part, None)
            value = value.operation(part) if found is None and hasattr(value, "operation") else found
    return value


def without_nothing(value: object) -> object:
    """The value without keys of mappings that hold nothing, or mappings that hold nothing themselves."""
    if isinstance(value, dict):
        rest = {key: without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in rest.items() if item is not None and item != {}}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value
