"""Which settings a configuration may hold: PaddleOCR's names and a few of ours, with type, meaning and default.

A table maps a key to a `Setting`, to a table of its own (a section), or to one of the shapes in `kinds`. Settings
made by `unread` are PaddleOCR's and do nothing here: they are accepted, listed and reported. What stands below
Architecture's Transform, Backbone, Neck and Head belongs to the classes named there, which check their arguments when
the network is built.

Marked "(ours)": what PaddleOCR does not know. Besides these, the top-level key `base: other.yml` (ours) makes a file
extend another, named relative to itself.
"""

from __future__ import annotations

from typing import Any

from scenetext.config.kinds import (
    ABOVE_0,
    BOOL,
    COUNT,
    FLOAT,
    FLOAT_OR_FLOATS,
    FLOATS,
    FROM_0,
    INT,
    INTERVAL,
    INTS,
    NAME_PAIRS,
    PAIR,
    PAIRS,
    POSITIVE,
    SHAPE,
    SHARE,
    TEXT,
    TEXT_OR_TEXTS,
    TEXTS,
    Each,
    Free,
    Named,
    Ops,
    Setting,
    one_of,
    optional,
    unread,
)

Table = dict[str, Any]

GLOBAL: Table = {
    "epoch_num": Setting(COUNT, "how often the training set is seen", 100),
    "save_model_dir": Setting(optional(TEXT), "the run's folder", None),
    "save_epoch_step": Setting(COUNT, "epochs between numbered checkpoints", 10**9),
    "eval_batch_step": Setting(INTERVAL, "steps between evaluations, or first step and steps between", [0, 2000]),
    "eval_batch_epoch": Setting(optional(COUNT), "epochs between evaluations, instead of eval_batch_step", None),
    "early_stop_evals": Setting(FROM_0, "(ours) stop after this many evaluations without a better one, 0 = never", 0),
    "seed": Setting(FROM_0, "seed of weights, order and augmentation", 1024),
    "print_batch_step": Setting(COUNT, "steps between log lines", 10),
    "log_smooth_window": Setting(COUNT, "steps over which logged values are smoothed", 20),
    "pretrained_model": Setting(
        optional(TEXT), "weights to start from: file, prefix, address, tar, or rapidocr:PP-OCRv6_rec_small", None
    ),
    "weight_interpolation": Setting(
        SHARE, "(ours) best weights are this far from the pretrained to the trained ones; 1 = all the way", 1.0
    ),
    "checkpoints": Setting(optional(TEXT), "prefix of a checkpoint whose training goes on", None),
    "character_dict_path": Setting(optional(TEXT), "the dictionary, one character a line; none = 0-9a-z", None),
    "use_space_char": Setting(BOOL, "whether a space follows the dictionary's characters", False),
    "max_text_length": Setting(COUNT, "longest label in characters", 25),
    "use_gpu": Setting(BOOL, "compute on a GPU where Paddle finds one", True),
    "use_visualdl": Setting(BOOL, "write curves and sample images for VisualDL", True),
    "model_name": Setting(optional(TEXT), "the name that an exported folder goes by in the paddleocr package", None),
    "use_amp": Setting(BOOL, "train in mixed precision where there is a GPU", False),
    "amp_level": Setting(one_of("O1", "O2"), "O1 halves operations that are known as safe, O2 almost all", "O2"),
    "amp_dtype": Setting(one_of("float16", "bfloat16"), "half precision's number format", "float16"),
    "amp_custom_black_list": Setting(optional(TEXTS), "operations kept out of half precision", None),
    "amp_custom_white_list": Setting(optional(TEXTS), "operations taken into half precision", None),
    "scale_loss": Setting(ABOVE_0, "float16's loss is multiplied by this at first, its gradient divided", 1.0),
    "use_dynamic_loss_scaling": Setting(BOOL, "that factor falls when gradients overflow and rises in time", False),
    "debug": unread(BOOL, "more logging"),
    "infer_mode": unread(BOOL, "prediction keeps long lines unsqueezed here without it"),
    "infer_img": unread(TEXT, "pictures to read: `scenetext predict --images` says which"),
    "infer_list": unread(TEXT, "pictures to read, by a list"),
    "save_res_path": unread(TEXT, "where to write what was read: `scenetext predict --out` says where"),
    "save_inference_dir": unread(TEXT, "where to export to: `scenetext export --out` says where"),
    "character_type": unread(TEXT, "the language, a leftover of version 1"),
    "distributed": unread(BOOL, "several processes: paddle.distributed.launch says so by itself"),
    "d2s_train_image_shape": unread(SHAPE, "image shape when training a static graph"),
    "to_static": unread(BOOL, "train a static graph"),
    "export_with_pir": unread(BOOL, "the exported format: `scenetext export --format` says which"),
    "uniform_output_enabled": unread(BOOL, "PaddleX's output folders"),
    "calc_epoch_interval": unread(INT, "epochs between scores of the training batches"),
    "load_static_weights": unread(BOOL, "weights of Paddle 1"),
    "use_sync_bn": unread(BOOL, "batch statistics over all GPUs"),
    "use_xpu": unread(BOOL, "another kind of device"),
    "use_npu": unread(BOOL, "another kind of device"),
    "use_mlu": unread(BOOL, "another kind of device"),
    "use_gcu": unread(BOOL, "another kind of device"),
    "cal_metric_during_train": unread(BOOL, "also score the training batches"),
}

LEARNING_RATE: Table = {
    "name": Setting(TEXT, "the schedule", "Const"),
    "learning_rate": Setting(POSITIVE, "its highest value", 0.001),
    "warmup_epoch": Setting(POSITIVE, "epochs of linear rise from 0", 0.0),
}

OPTIMIZER: Table = {
    "name": Setting(one_of("Adam", "AdamW", "Momentum"), "the update rule", "Adam"),
    "beta1": Setting(SHARE, "decay of the mean of the gradient", 0.9),
    "beta2": Setting(SHARE, "decay of the mean of its square", 0.999),
    "epsilon": Setting(POSITIVE, "added to the root of that mean", 1e-8),
    "momentum": Setting(SHARE, "decay of the velocity (Momentum)", 0.9),
    "weight_decay": Setting(POSITIVE, "decoupled decay (AdamW)", 0.01),
    "no_weight_decay_name": Setting(optional(TEXT), "words, space between: parameters named so do not decay", None),
    "one_dim_param_no_weight_decay": Setting(BOOL, "parameters of one dimension do not decay", False),
    "clip_norm": Setting(optional(POSITIVE), "longest gradient of one parameter", None),
    "clip_norm_global": Setting(optional(POSITIVE), "longest gradient of all parameters together", None),
    "lr": Named(
        {
            "Const": LEARNING_RATE,
            "Cosine": LEARNING_RATE,
            "Linear": {
                **LEARNING_RATE,
                "end_lr": Setting(POSITIVE, "its last value", 0.0),
                "power": Setting(POSITIVE, "exponent of the fall", 1.0),
            },
            "Piecewise": {
                **LEARNING_RATE,
                "decay_epochs": Setting(INTS, "epochs at which it changes"),
                "values": Setting(FLOATS, "its value before, between and after"),
            },
        },
        default="Const",
    ),
    "regularizer": {
        "name": Setting(one_of("L1", "L2"), "what is added to the gradient: sign or weight", "L2"),
        "factor": Setting(POSITIVE, "times this", 0.0),
    },
    "lazy_mode": unread(BOOL, "sparse updates"),
}

_NETWORK: Table = {
    "model_type": Setting(one_of("rec"), "recognition", "rec"),
    "algorithm": Setting(optional(TEXT), "PaddleOCR's name of the whole", None),
    "in_channels": Setting(COUNT, "colour channels of the picture", 3),
    "Transform": Free("a network that straightens the picture, or nothing"),
    "Backbone": Free("pictures to features"),
    "Neck": Free("features to a sequence, or nothing"),
    "Head": Free("sequence to logits"),
}

ARCHITECTURE: Table = {
    **_NETWORK,
    "name": Setting(one_of("DistillationModel"), "several networks side by side"),
    "Models": Each(
        {
            **_NETWORK,
            "pretrained": Setting(optional(TEXT), "this network's weights", None),
            "freeze_params": Setting(BOOL, "keep this network as it is", False),
            "return_all_feats": unread(BOOL, "hand out the features of every part"),
        }
    ),
}

_CTC_LOSS: Table = {"use_focal_loss": Setting(BOOL, "weigh hard lines more", False)}
_SMOOTHING = Setting(BOOL, "smooth the labels by 0.1", True)
_COUNT_PADDING = Setting(BOOL, "(ours) padding after the end of a line counts, as it does in PaddleOCR", False)
HEAD_LOSSES: Table = {
    "CTCLoss": _CTC_LOSS,
    "NRTRLoss": {"smoothing": _SMOOTHING, "ignore_index": Setting(one_of(0), "class of padding", 0)},
    "SGMLoss": {},  # (ours)
}


def _distilled(name: str, pairs: bool, extra: Table) -> Table:
    networks = {"model_name_pairs": Setting(NAME_PAIRS, "pairs of student and teacher")}
    if not pairs:
        networks = {"model_name_list": Setting(TEXTS, "the networks scored against the labels")}
    return {
        "weight": Setting(FLOAT, "share in the sum", 1.0),
        "name": Setting(TEXT, "what the log calls it", name),
        "key": unread(TEXT, "which output of the networks"),
        "multi_head": unread(BOOL, "whether that output is a dict of heads"),
        **networks,
        **extra,
    }


DISTILLATION_LOSSES: Table = {
    "DistillationDKDLoss": _distilled(
        "dkd",
        True,
        {
            "dis_head": Setting(one_of("gtc"), "the head that is distilled", "gtc"),
            "temperature": Setting(POSITIVE, "softens both sides", 1.0),
            "alpha": Setting(FLOAT, "share of target against rest", 1.0),
            "beta": Setting(FLOAT, "share of the order among the rest", 1.0),
            "count_padding": _COUNT_PADDING,
        },
    ),
    "DistillationCTCLoss": _distilled("loss_ctc", False, {}),
    "DistillationNRTRLoss": _distilled("loss_nrtr", False, {"smoothing": _SMOOTHING, "count_padding": _COUNT_PADDING}),
    "DistillCTCLogits": _distilled(
        "ctc_logits",
        True,
        {
            "mode": Setting(one_of("mean"), "steps are averaged", "mean"),
            "reduction": unread(TEXT, "over the batch: always the mean"),
        },
    ),
}

LOSS = Named(
    {
        "CTCLoss": _CTC_LOSS,
        "AttentionLoss": {},
        "MultiLoss": {
            "loss_config_list": Ops(HEAD_LOSSES),
            "weight_1": Setting(FLOAT, "share of the CTC loss", 1.0),
            "weight_2": Setting(FLOAT, "share of the other loss", 1.0),
        },
        "CombinedLoss": {"loss_config_list": Ops(DISTILLATION_LOSSES)},
    }
)

_DISTILLED_OUTPUT: Table = {
    "model_name": Setting(TEXT_OR_TEXTS, "the networks whose text is read"),
    "key": Setting(optional(TEXT), "which output of the networks", None),
    "multi_head": Setting(BOOL, "whether that output is a dict of heads", False),
}
POST_PROCESS = Named({"CTCLabelDecode": {}, "AttnLabelDecode": {}, "DistillationCTCLabelDecode": _DISTILLED_OUTPUT})

_REC_METRIC: Table = {
    "main_indicator": Setting(one_of("acc", "norm_edit_dis"), "what makes a checkpoint the best", "acc"),
    "ignore_space": unread(BOOL, "scores are given raw and normalised, and spaces count in the former only"),
    "is_filter": unread(BOOL, "the same"),
}
METRIC = Named(
    {
        "RecMetric": _REC_METRIC,
        "DistillationMetric": {
            **_REC_METRIC,
            "base_metric_name": Setting(one_of("RecMetric"), "the score itself", "RecMetric"),
            "key": Setting(TEXT, "the network that counts", "Student"),
        },
    }
)

_ENCODE: Table = {  # PaddleOCR lets Global's values of the same names win, and so they do here
    "max_text_length": unread(INT, "Global.max_text_length counts"),
    "character_dict_path": unread(TEXT, "Global.character_dict_path counts"),
    "use_space_char": unread(BOOL, "Global.use_space_char counts"),
}
_RESIZE: Table = {
    "image_shape": Setting(SHAPE, "channels, height and width in pixels"),
    "padding": Setting(BOOL, "keep proportions and pad; false stretches (networks of one input size only)", True),
    "eval_mode": unread(BOOL, "evaluation never squeezes long lines to the width"),
    "infer_mode": unread(BOOL, "nor does prediction"),
    "character_dict_path": unread(TEXT, "Global.character_dict_path counts"),
}
_AUGMENT_SHARE = "share of the pictures "
TRANSFORMS = Ops(
    {
        "DecodeImage": {
            "img_mode": Setting(one_of("BGR"), "order of the colours", "BGR"),
            "channel_first": Setting(one_of(False), "colours before rows", False),
        },
        "RecAug": {
            "prob": Setting(SHARE, "(ours) one share for all the others", 0.4),
            "tia_prob": Setting(SHARE, _AUGMENT_SHARE + "warped", 0.4),
            "crop_prob": Setting(SHARE, _AUGMENT_SHARE + "cropped above or below", 0.4),
            "blur_prob": Setting(SHARE, _AUGMENT_SHARE + "blurred", 0.4),
            "hsv_aug_prob": Setting(SHARE, _AUGMENT_SHARE + "made lighter or darker", 0.4),
            "jitter_prob": Setting(SHARE, _AUGMENT_SHARE + "shifted", 0.4),
            "noise_prob": Setting(SHARE, _AUGMENT_SHARE + "made noisy", 0.4),
            "reverse_prob": Setting(SHARE, _AUGMENT_SHARE + "turned into their negative", 0.4),
        },
        "RecConAug": {
            "prob": Setting(SHARE, _AUGMENT_SHARE + "joined with others", 0.5),
            "ext_data_num": Setting(FROM_0, "most others joined", 2),
            "image_shape": Setting(SHAPE, "height, width in pixels and channels", [32, 320, 3]),
            "max_text_length": unread(INT, "Global.max_text_length counts"),
        },
        "SVTRRecAug": {
            "aug_type": unread(INT, "0 = one of the warps, 1 = several"),
            "geometry_p": unread(SHARE, _AUGMENT_SHARE + "warped"),
            "deterioration_p": unread(SHARE, _AUGMENT_SHARE + "made worse"),
            "colorjitter_p": unread(SHARE, _AUGMENT_SHARE + "coloured"),
        },
        "CTCLabelEncode": _ENCODE,
        "AttnLabelEncode": _ENCODE,
        "NRTRLabelEncode": _ENCODE,
        "MultiLabelEncode": {**_ENCODE, "gtc_encode": unread(TEXT, "the heads say which labels they need")},
        "RecResizeImg": _RESIZE,
        "SVTRRecResizeImg": _RESIZE,
        "KeepKeys": {"keep_keys": unread(TEXTS, "order of a batch's arrays")},
    },
    unread=frozenset({"SVTRRecAug", "KeepKeys"}),
)

_DATASET: Table = {
    "data_dir": Setting(TEXT, "folder, zip, folder of zips or LMDB that the names in the label files are relative to"),
    "transforms": TRANSFORMS,
    "ext_op_transform_idx": unread(INT, "lines to join are decoded and nothing else"),
}
_LISTED: Table = {
    **_DATASET,
    "label_file_list": Setting(TEXT_OR_TEXTS, "files of name<TAB>text"),
    "ratio_list": Setting(FLOAT_OR_FLOATS, "share of each file that is used", [1.0]),
    "ext_data_ratio_list": unread(FLOAT_OR_FLOATS, "lines to join are drawn from all files alike"),
    "delimiter": Setting(one_of("\t"), "what stands between name and text", "\t"),
}
DATASET = Named(
    {
        "SimpleDataSet": _LISTED,
        "MultiScaleDataSet": {**_LISTED, "ds_width": Setting(one_of(False), "widths from the label file", False)},
        "LMDBDataSet": _DATASET,
    }
)
_CACHED: Table = {
    "cache_dir": Setting(
        optional(TEXT), "(ours) a folder that keeps lines decoded and resized; RecAug then works on these", None
    ),
}
TRAIN_DATASET = Named({name: {**table, **_CACHED} for name, table in DATASET.tables.items()})
LOADER: Table = {
    "batch_size_per_card": Setting(COUNT, "lines in a batch, for each process"),
    "shuffle": Setting(BOOL, "a new order in every epoch", True),
    "drop_last": Setting(BOOL, "leave out a short last batch", False),
    "num_workers": Setting(FROM_0, "threads that prepare batches ahead, at least one", 0),
    "use_shared_memory": unread(BOOL, "how batches travel between processes"),
    "num_sections": unread(INT, "a leftover"),
}
SAMPLER = Named(
    {
        "WidthBucketSampler": {  # (ours)
            "max_width": Setting(COUNT, "pixels, wider lines are squeezed to it"),
            "pixels_per_batch": Setting(
                optional(COUNT), "pixels a batch may hold, so that wide lines come in smaller batches", None
            ),
        },
        "MultiScaleSampler": {
            "scales": Setting(PAIRS, "widths and heights in pixels"),
            "first_bs": Setting(COUNT, "lines in a batch of the first scale"),
            "fix_bs": Setting(BOOL, "as many lines at every scale", False),
            "divided_factor": Setting(PAIR, "what width and height are multiples of", [8, 16]),
            "is_training": unread(BOOL, "several scales, else one"),
        },
    }
)

SCHEMA: Table = {
    "Global": GLOBAL,
    "Optimizer": OPTIMIZER,
    "Architecture": ARCHITECTURE,
    "Loss": LOSS,
    "PostProcess": POST_PROCESS,
    "Metric": METRIC,
    "Train": {"dataset": TRAIN_DATASET, "sampler": SAMPLER, "loader": LOADER},
    "Eval": {"dataset": DATASET, "loader": LOADER},
    "profiler_options": unread(TEXT, "Paddle's profiler"),
}
