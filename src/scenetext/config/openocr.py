"""OpenOCR's YAML in PaddleOCR's schema: the SVTRv2 and RepSVTR networks of its configs/rec/svtrv2.

Both schemas have the same sections. OpenOCR calls the parts of a network Encoder and Decoder, reads lists of LMDBs
whose lines it resizes by their ratio, and trains on pictures whose colours are red first.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from scenetext.config.yaml_text import shown
from scenetext.errors import InputError

Values = dict[str, Any]

RATIO_DATA_SET = "RatioDataSetTVResize"
BASE_HEIGHT = 32  # of its lines beyond base_shape
LONGEST_RATIO = 10  # of its lines, where the loader says nothing
AUGMENTATIONS = ("PARSeqAugPIL", "PARSeqAug", "SVTRAug")
LABELS = ("CTCLabelEncode", "GTCLabelEncode", "ARLabelEncode", "SMTRLabelEncode")
DECODES = ("DecodeImagePIL", "DecodeImage")
RESIZES = ("RecTVResize", "RecDynamicResize", "SVTRResize")
SCHEDULES = {
    "OneCycleLR": "Cosine",
    "CosineAnnealingLR": "Cosine",
    "LinearLR": "Linear",
    "ConstLR": "Const",
}
REPLACED = {  # what is not built here, and what takes its place
    **dict.fromkeys(AUGMENTATIONS, "RecAug"),
    "OneCycleLR": "Cosine with its warm-up",
}
RENAMED = {"output_dir": "save_model_dir", "use_tensorboard": "use_visualdl"}
NOT_DECAYED = "patch_embed downsample pos_embed token char_embed"  # words in the names of parameters


def is_openocr(values: Mapping[str, Any]) -> bool:
    """Whether raw values are of OpenOCR's schema: its networks have an Encoder or a Decoder."""
    network = values.get("Architecture")
    return isinstance(network, Mapping) and bool({"Encoder", "Decoder"} & network.keys())


def translated(values: Mapping[str, Any], location: str) -> Values:
    """The same configuration in PaddleOCR's schema; what takes another's place is named by a warning.

    Args:
        values: of OpenOCR's schema.
        location: the file, for messages.

    Raises:
        InputError: a part of a network, a loss or a data set that is not built here.
    """
    try:
        return _Translation(values, location).result()
    except InputError:
        raise
    except (TypeError, AttributeError, ValueError, KeyError, IndexError) as error:
        raise InputError(
            f"{location} is like a configuration of OpenOCR's, because Architecture has an Encoder or a Decoder, but "
            f"not one that can be read ({type(error).__name__}: {error}): correct it."
        ) from None


class _Translation:
    """One translation; see `translated`."""

    def __init__(self, values: Mapping[str, Any], location: str):
        self.values, self.location = values, location
        self.replaced: list[str] = []
        self.colours: dict[str, str] = {}  # by section

    def result(self) -> Values:
        given = dict(self.values)
        found = {key: given.pop(key) for key in ("profiler_options",) if key in given}
        for key in ("PostProcess", "LRScheduler"):  # the head says how it is decoded; _optimizer reads the schedule
            given.pop(key, None)
        for key, translate in (
            ("Optimizer", self._optimizer),
            ("Architecture", self._architecture),
            ("Loss", self._loss),
            ("Metric", self._metric),
        ):
            section = given.pop(key, None)
            if section is not None:
                found[key] = translate(section)
        for key in ("Train", "Eval"):
            section = given.pop(key, None)
            if section is not None:
                found[key] = self._data(section, key)
        found["Global"] = self._global(given.pop("Global", None) or {})
        if self.replaced:
            warnings.warn(
                f"{self.location} is OpenOCR's; "
                + ", ".join(f"{name} is {REPLACED[name]} here" for name in dict.fromkeys(self.replaced)),
                stacklevel=4,
            )
        return {**found, **given}

    def _replace(self, name: str) -> None:
        if name in REPLACED:
            self.replaced.append(name)

    def _refuse(self, key: str, value: Any, known: str) -> InputError:
        return InputError(f"{self.location}: {key} is {shown(value)}; of OpenOCR's, {known} can be read here.")

    def _global(self, given: Mapping[str, Any]) -> Values:
        found = {RENAMED.get(key, key): value for key, value in given.items()}
        found.pop("project_name", None)
        device = found.pop("device", None)
        if device is not None:
            found["use_gpu"] = device != "cpu"
        epochs = found.pop("eval_epoch_step", None)
        if epochs is not None:  # evaluation after every so many epochs, from one on
            found.pop("eval_batch_step", None)
            found["eval_batch_epoch"] = epochs[1] if isinstance(epochs, list) else epochs
        if isinstance(found.get("save_epoch_step"), list):
            found["save_epoch_step"] = max(found["save_epoch_step"])
        return {**found, "pth_img_mode": self.colours.get("Eval") or self.colours.get("Train") or "RGB"}

    def _optimizer(self, given: Mapping[str, Any]) -> Values:
        given = dict(given)
        schedule = dict(self.values.get("LRScheduler") or {"name": "ConstLR"})
        name = schedule.pop("name", None)
        if name not in SCHEDULES:
            raise self._refuse("LRScheduler.name", name, ", ".join(SCHEDULES))
        self._replace(name)
        schedule.pop("cycle_momentum", None)
        decay, keeps = given.pop("weight_decay", 0.0), given.pop("filter_bias_and_bn", False)
        found = {
            "name": given.pop("name"),
            "lr": {"name": SCHEDULES[name], "learning_rate": given.pop("lr"), **schedule},
        }
        if "betas" in given:
            found["beta1"], found["beta2"] = given.pop("betas")
        if "eps" in given:
            found["epsilon"] = given.pop("eps")
        if found["name"] == "AdamW":
            found["weight_decay"] = decay
            if keeps:
                found |= {"one_dim_param_no_weight_decay": True, "no_weight_decay_name": NOT_DECAYED}
        elif decay:
            found["regularizer"] = {"name": "L2", "factor": decay}
        return {**found, **given}

    def _architecture(self, given: Mapping[str, Any]) -> Values:
        given = dict(given)
        encoder, decoder = dict(given.pop("Encoder", None) or {}), dict(given.pop("Decoder", None) or {})
        head, pools = self._head(decoder)
        backbone = {"name": "RepSVTR"}
        name = encoder.pop("name", None)
        if name == "SVTRv2LNConvTwo33":
            backbone = {"name": "SVTRv2", **self._svtrv2(encoder), "use_pool": pools, "feat2d": not pools}
        elif name != "RepSVTREncoder" or encoder:
            raise self._refuse("Architecture.Encoder.name", name, "SVTRv2LNConvTwo33 and RepSVTREncoder")
        return {**given, "Backbone": backbone, "Head": head}

    def _svtrv2(self, given: Values) -> Values:
        for key in ("local_k", "out_channels", "feat2d"):
            given.pop(key, None)
        if given.pop("last_stage", False):
            raise self._refuse("Architecture.Encoder.last_stage", True, "networks with last_stage: false")
        mixer = [[name.replace("FGlobal", "Global") for name in stage] for stage in given.pop("mixer")]
        sizes, counts = given.pop("kernel_sizes", None), given.pop("num_convs", None)
        found = set()
        for stage, names in enumerate(mixer):
            for block in range(names.count("Conv")):
                side = sizes[stage][block] if sizes and len(sizes[stage]) == len(names) else 3
                count = counts[stage][block] if counts and len(counts[stage]) == len(names) else 2
                found.add((side,) * count)
        if len(found) != 1:
            raise self._refuse("Architecture.Encoder.kernel_sizes", sizes, "networks whose convolutions are all alike")
        own = {"mixer": mixer, "conv_kernels": list(*found), "stem_bias": given.pop("pope_bias", False)}
        return {**given, **own}

    def _head(self, decoder: Values) -> tuple[Values, bool]:
        """The head, and whether it reads one row, which is pooled over the whole height."""
        name = decoder.pop("name", None)
        if name == "GTCDecoder":
            inner, guide = dict(decoder.get("ctc_decoder") or {}), dict(decoder.get("gtc_decoder") or {})
            if inner.get("name") != "RCTCDecoder" or guide.get("name") != "SMTRDecoder":
                raise self._refuse(
                    "Architecture.Decoder",
                    f"{guide.get('name')} with {inner.get('name')}",
                    "SMTRDecoder with RCTCDecoder",
                )
            trained = {"sub_str_len": guide.get("sub_str_len", 5)} if decoder.get("infer_gtc") else {}
            return {"name": "RCTCDecoder", **trained}, False
        if name == "RCTCDecoder":
            return {"name": "RCTCDecoder", **decoder}, False
        neck = decoder.pop("svtr_encoder", None)
        if name != "CTCDecoder" or neck is None or decoder:
            raise self._refuse(
                "Architecture.Decoder.name", name, "RCTCDecoder, CTCDecoder with svtr_encoder and GTCDecoder"
            )
        return {"name": "MultiHead", "head_list": [{"CTCHead": {"Neck": {"name": "svtr", **neck}, "Head": {}}}]}, True

    def _loss(self, given: Mapping[str, Any]) -> Values:
        if given.get("name") == "CTCLoss":
            return {key: value for key, value in given.items() if key != "zero_infinity"}
        guide = (given.get("gtc_loss") or {}).get("name") if given.get("name") == "GTCLoss" else None
        if guide != "SMTRLoss":
            raise self._refuse("Loss.name", given.get("name"), "CTCLoss and GTCLoss with SMTRLoss")
        return {
            "name": "MultiLoss",
            "loss_config_list": [{"CTCLoss": None}, {"SGMLoss": None}],
            "weight_1": given.get("ctc_weight", 1.0),
            "weight_2": given.get("gtc_weight", 1.0),
        }

    def _metric(self, given: Mapping[str, Any]) -> Values:
        if given.get("name") not in ("RecMetric", "RecGTCMetric"):
            raise self._refuse("Metric.name", given.get("name"), "RecMetric and RecGTCMetric")
        return {**given, "name": "RecMetric"}

    def _data(self, given: Mapping[str, Any], section: str) -> Values:
        given = dict(given)
        dataset, loader = dict(given.pop("dataset")), dict(given.pop("loader", None) or {})
        longest = loader.pop("max_ratio", LONGEST_RATIO)
        transforms = [found for one in dataset.pop("transforms", ()) for found in self._operation(one, section)]
        if dataset.get("name") == RATIO_DATA_SET:
            if dataset.pop("padding", True):
                raise self._refuse(f"{section}.dataset.padding", True, "data sets with padding: false")
            dataset.pop("ds_width", None)
            height = dataset.pop("base_h", BASE_HEIGHT)
            resize = {"image_shape": [3, height, 4 * height], "max_ratio": longest}
            if "base_shape" in dataset:
                resize["base_shape"] = dataset.pop("base_shape")
            transforms.append({"MultiSizeResize": resize})
            dataset["name"] = "LMDBDataSet"
        found = {**given, "dataset": {**dataset, "transforms": transforms}, "loader": loader}
        if section == "Eval":
            found.pop("sampler", None)
        return found

    def _operation(self, given: Any, section: str) -> list[Values]:
        """What an operation of the transforms becomes: one or nothing."""
        ((name, options),) = given.items() if isinstance(given, Mapping) else ((given, None),)
        options = options or {}
        self._replace(name)
        if name in DECODES:
            self.colours[section] = options.get("img_mode", "RGB")
            return [{"DecodeImage": {"img_mode": "BGR"}}]
        if name in AUGMENTATIONS:
            return [{"RecAug": None}]
        if name in LABELS:
            return [{"CTCLabelEncode": None}]
        if name in RESIZES:
            return [{"RecResizeImg": {"image_shape": [3, *options["image_shape"][-2:]]}}]
        return [] if name == "KeepKeys" else [{name: options}]
