"""The whole configuration, PaddleOCR's schema and a few settings of ours, and the ways through it.

Settings marked by `kinds.UNREAD` are PaddleOCR's and have no meaning here: they are accepted, listed and reported.
Marked "(ours)": what PaddleOCR does not know. Besides these, the top-level key `base: other.yml` (ours) makes a file
extend another, named relative to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from scenetext.config.kinds import UnreadText
from scenetext.config.section import (
    ByName,
    Operations,
    Path,
    Section,
    Shape,
    dotted,
    is_unread,
    shape_of,
    wrong_below,
)
from scenetext.config.sections.architecture import AnyArchitecture, DistillationModel
from scenetext.config.sections.data import EvalSettings, MultiScaleSampler, TrainSettings
from scenetext.config.sections.detection import DBLoss, DBPostProcess, DetMetric
from scenetext.config.sections.global_section import GlobalSettings
from scenetext.config.sections.loss import AnyLoss, CombinedLoss
from scenetext.config.sections.metric import AnyMetric, AnyPostProcess, RecMetric
from scenetext.config.sections.optimizer import Adam, AnyOptimizer
from scenetext.config.sections.transforms import MultiSizeResize, Resize
from scenetext.errors import InputError, nearest_hint

MAY_BE_ABSENT = ("Architecture", "Loss", "Train", "Eval", "PostProcess")


class MissingSection(InputError, AttributeError):
    """A section without defaults was asked for, and the configuration lacks it."""


class Config(Section):
    """A complete, checked configuration: `config.Optimizer.lr.learning_rate`. `load_config` makes it.

    Every setting has its value or its default. Only the sections without defaults (Architecture, Loss, Train, Eval)
    may be absent; reading an absent one raises an InputError, and `has` asks first.
    """

    Global: GlobalSettings = Field(GlobalSettings())
    Optimizer: AnyOptimizer = Field(Adam())
    Architecture: AnyArchitecture = None
    Loss: AnyLoss = None
    PostProcess: AnyPostProcess = None
    Metric: AnyMetric = Field(RecMetric())
    Train: TrainSettings | None = None
    Eval: EvalSettings | None = None
    profiler_options: UnreadText = Field(None, description="Paddle's profiler")

    @model_validator(mode="after")
    def _forget_absent_sections(self) -> Config:
        for name in MAY_BE_ABSENT:
            if self.__dict__[name] is None:
                del self.__dict__[name]
        return self

    @model_validator(mode="after")
    def _check_heights(self) -> Config:
        """Evaluation at another height than training's would score a network that was trained for something else."""
        evaluated = self.Eval.dataset.resize if self.has("Train") and self.has("Eval") else None
        if evaluated is None:
            return self
        trained, sampler = self.Train.dataset.resize, self.Train.sampler
        bases = [r.base_shape if isinstance(r, MultiSizeResize) else None for r in (trained, evaluated)]
        if trained is not None and bases[0] != bases[1]:
            raise wrong_below(
                f"hold {type(evaluated).__name__}, but the canvases of Train's {type(trained).__name__} are others: "
                "give both sections the same resize.",
                *("Eval", "dataset", "transforms"),
            )
        heights = {trained.image_shape[1]} if trained else set()
        if isinstance(sampler, MultiScaleSampler):
            heights = {height for _, height in sampler.sizes_px}
        if heights and evaluated.image_shape[1] not in heights:
            index, name = self.Eval.dataset.transforms.index(evaluated), type(evaluated).__name__
            raise wrong_below(
                f"is {evaluated.image_shape!r}, but Train's lines are {' or '.join(map(str, sorted(heights)))} pixels "
                "high: give both sections the same height.",
                *("Eval", "dataset", "transforms", index, name, "image_shape"),
            )
        return self

    @model_validator(mode="after")
    def _check_task(self) -> Config:
        """A detector has its own loss, metric and post-process, and a recogniser must not have them."""
        if not self.has("Architecture"):
            return self
        detects = self.Architecture.model_type == "det"
        if detects and "Metric" not in self.model_fields_set:
            self.__dict__["Metric"] = DetMetric()
        for name, own in (("Loss", DBLoss), ("Metric", DetMetric), ("PostProcess", DBPostProcess)):
            section = getattr(self, name) if self.has(name) else None
            if section is not None and isinstance(section, own) != detects:
                task = "detection (Architecture.model_type det)" if detects else "recognition"
                remedy = f"give {own.__name__}" if detects else "give one of recognition, or set model_type: det"
                raise wrong_below(f"is {section.name}, but the network is one for {task}: {remedy}.", name, "name")
        if detects and self.has("Train"):
            for key in ("replay", "teacher", "repeats", "misread_characters"):
                if getattr(self.Train, key):
                    raise wrong_below("is for recognisers of lines, not for a detector: leave it out.", "Train", key)
        for name in ("Train", "Eval"):
            dataset = getattr(self, name).dataset if self.has(name) else None
            encodes = dataset is not None and dataset.operation("DetLabelEncode") is not None
            if dataset is not None and encodes != detects:
                needs = "lack DetLabelEncode, which a detector needs" if detects else "hold DetLabelEncode"
                raise wrong_below(
                    f"{needs}: the transforms and Architecture.model_type {self.Architecture.model_type} are of two "
                    "tasks; give those of one.",
                    *(name, "dataset", "transforms"),
                )
        return self

    @model_validator(mode="after")
    def _check_networks(self) -> Config:
        """A loss of several networks needs these networks, and several networks need such a loss."""
        if not (self.has("Architecture") and self.has("Loss")):
            return self
        networks = self.Architecture.Models if isinstance(self.Architecture, DistillationModel) else {}
        if isinstance(self.Loss, CombinedLoss) != bool(networks):
            has = f"{len(networks)} networks" if networks else "one network"
            raise wrong_below(
                f"is {self.Loss.name}, but Architecture has {has}: CombinedLoss is for DistillationModel, the other "
                "losses are for one network.",
                *("Loss", "name"),
            )
        for part, names in self.Loss.networks.items() if networks else ():
            for name in names:
                if name not in networks:
                    raise wrong_below(
                        f"names the network {name!r} in {part}: {nearest_hint(name, networks)}.",
                        *("Loss", "loss_config_list"),
                    )
        return self

    def __getattr__(self, name: str) -> Any:
        if name in MAY_BE_ABSENT:
            raise MissingSection(f"The configuration has no section {name}: add it.")
        return super().__getattr__(name)

    def has(self, section: str) -> bool:
        """Whether the configuration has a section of that name."""
        return section in self.__dict__

    def resize(self, section: str) -> Resize | None:
        """The options of the resize of "Train" or "Eval", of the other section if it has none; None without both."""
        others = [name for name in ("Train", "Eval") if name != section]
        sections = [getattr(self, name) for name in (section, *others) if self.has(name)]
        return next((found.dataset.resize for found in sections if found.dataset.resize), None)

    @property
    def ignored(self) -> list[str]:
        """Dotted names of the settings given that PaddleOCR knows and that have no meaning here."""
        return [dotted(path) for path in _unread(self, ())]


def _unread(section: Section, path: Path) -> Iterator[Path]:
    for key, value in section:
        here = (*path, key)
        unread = is_unread(type(section).model_fields[key]) or getattr(value, "UNREAD", False)
        if unread and value is not None:
            yield here
        elif isinstance(value, Section):
            yield from _unread(value, here)
        elif isinstance(value, dict):
            for name, part in value.items():
                if isinstance(part, Section):
                    yield from _unread(part, (*here, name))
        elif isinstance(value, list):
            for index, part in enumerate(value):
                if isinstance(part, Section):
                    below = (*here, index, type(part).__name__)
                    yield from [below] if part.UNREAD else _unread(part, below)


def walk(cls: type[Section] = Config, path: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Every setting below a class of sections; paths name operations, and each network of a distillation is `*`."""
    for key, field in cls.model_fields.items():
        below = _classes_below(shape_of(field))
        if not below:
            yield (*path, key), field
        for keys, section in below:
            yield from walk(section, (*path, key, *keys))


def _classes_below(shape: Shape) -> list[tuple[Path, type[Section]]]:
    """The classes that a field can hold, and the keys between the field and each of them."""
    if shape is None:
        return []
    if isinstance(shape, Operations):
        return [((name,), section) for name, section in shape.classes.items()]
    if isinstance(shape, dict):
        return [(("*",), section) for section in shape.values()]
    return [((), section) for section in (shape.classes.values() if isinstance(shape, ByName) else [shape])]


def shape_at(path: Path, values: Any) -> Shape:
    """The kind of section at `path` of a raw configuration: one class, a choice by name, operations, or None."""
    shape: Shape = Config
    for key in path:
        if isinstance(shape, ByName):
            shape = shape.class_of(values)
        if isinstance(shape, Operations):  # an index, then a name
            shape = shape.classes.get(key) if isinstance(key, str) else shape
        elif isinstance(shape, dict):
            shape = shape["*"]
        elif shape is not None:
            shape = shape_of(shape.model_fields[key]) if key in shape.model_fields else None
        values = _below(values, key)
    return shape


def section_at(path: Path, values: Any) -> type[Section] | None:
    """The class of the section at `path` of a raw configuration, None if its name is unknown or it is no section."""
    shape = shape_at(path, values)
    if isinstance(shape, ByName):
        for key in path:
            values = _below(values, key)
        return shape.class_of(values)
    return shape if isinstance(shape, type) else None


def _below(values: Any, key: Any) -> Any:
    if isinstance(values, Mapping):
        return values.get(key)
    if isinstance(values, Sequence) and isinstance(key, int) and key < len(values):
        return values[key]
    return None
