"""Train and Eval: data sets, samplers and loaders."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from scenetext.config.kinds import (
    COUNT,
    FILES,
    INT,
    MOST_LINES,
    MOST_THREADS,
    PAIRS_OF_SIDES,
    RATIO_OR_RATIOS,
    SIDES,
    SOME_TEXTS,
    UNREAD,
    Count,
    Flag,
    Kind,
    OptionalText,
    Text,
    UnreadFlag,
    UnreadInt,
    UnreadRatios,
    between,
    one_of,
    optional,
)
from scenetext.config.section import ByName, Named, Section, missing_below, wrong_below
from scenetext.config.sections.replay import MisreadCharacters, Repeats, Replay, Teacher
from scenetext.config.sections.transforms import LabelEncode, MultiSizeResize, Resize, Transforms

LinesInBatch = Annotated[int, between(INT, 1, MOST_LINES)]


class DatasetSettings(Named):
    """What all data sets share."""

    data_dir: Text = Field(
        description="folder, zip, folder of zips or LMDB in which the pictures lie, to which label files' names relate"
    )
    transforms: Transforms = Field([], description="what happens to a line on its way to the network")
    ext_op_transform_idx: UnreadInt = Field(None, description="lines to join are decoded and nothing else")

    def operation(self, name: str) -> Any:
        """The options of the operation of that name among the transforms, None where it is not among them."""
        return next((one for one in self.transforms if type(one).__name__ == name), None)

    @property
    def resize(self) -> Resize | None:
        """The options of the resize among the transforms, None without one."""
        return next((one for one in self.transforms if isinstance(one, Resize)), None)

    @property
    def label_files(self) -> list[str]:
        """The label files; none where the labels lie beside the pictures."""
        return []

    @model_validator(mode="after")
    def _check_transforms(self) -> DatasetSettings:
        """Of two operations of one kind only the first would be read."""
        for kind in (Resize, LabelEncode, *dict.fromkeys(type(one) for one in self.transforms)):
            same = [type(one).__name__ for one in self.transforms if isinstance(one, kind)]
            if len(same) > 1:
                raise wrong_below(f"holds {' and '.join(same[:2])}, of which one can count: keep one.", "transforms")
        return self


class SimpleDataSet(DatasetSettings):
    """Pictures, and label files that name them."""

    name: Literal["SimpleDataSet"] = "SimpleDataSet"
    label_file_list: Annotated[str | list[str], FILES] = Field(description="files of name<TAB>text")
    ratio_list: Annotated[float | list[float], RATIO_OR_RATIOS] = Field(
        [1.0], description="share of each file that is used, or one for all files"
    )
    ext_data_ratio_list: UnreadRatios = Field(None, description="lines to join are drawn from all files alike")
    delimiter: Annotated[str, one_of("\t")] = Field("\t", description="what separates name and text")

    @property
    def label_files(self) -> list[str]:
        """The label files."""
        return [self.label_file_list] if isinstance(self.label_file_list, str) else self.label_file_list

    @property
    def ratios(self) -> list[float]:
        """The share of each label file that is used."""
        given = self.ratio_list if isinstance(self.ratio_list, list) else [self.ratio_list]
        return given * len(self.label_files) if len(given) == 1 else given

    @model_validator(mode="after")
    def _check_ratios(self) -> SimpleDataSet:
        files, ratios = len(self.label_files), len(self.ratios)
        if ratios != files:
            raise wrong_below(
                f"has {ratios} ratios for {files} files in label_file_list: give one for each, or one for all.",
                "ratio_list",
            )
        return self


class MultiScaleDataSet(SimpleDataSet):
    """The same for several scales; the sampler says which."""

    name: Literal["MultiScaleDataSet"] = "MultiScaleDataSet"
    ds_width: Annotated[bool, one_of(False)] = Field(False, description="widths from the label file")


class LMDBDataSet(DatasetSettings):
    """Pictures and labels in LMDBs."""

    name: Literal["LMDBDataSet"] = "LMDBDataSet"
    data_dir: OptionalText = Field(None, description="LMDB, or folder of LMDBs")
    data_dir_list: Annotated[list[str] | None, optional(SOME_TEXTS)] = Field(
        None, description="(OpenOCR) several of them, in place of data_dir"
    )

    @property
    def data_dirs(self) -> list[str]:
        """The LMDBs, or folders of LMDBs."""
        return self.data_dir_list or [self.data_dir]

    @model_validator(mode="after")
    def _check_folders(self) -> LMDBDataSet:
        if not self.data_dir and not self.data_dir_list:
            raise missing_below("data_dir")
        if self.data_dir and self.data_dir_list:
            raise wrong_below("cannot be given beside data_dir_list: keep one of the two.", "data_dir")
        return self


class Cached(Section):
    """What only a training set knows."""

    cache_dir: OptionalText = Field(
        None, description="(ours) a folder that keeps lines decoded and resized; RecAug then works on these"
    )


class TrainSimpleDataSet(Cached, SimpleDataSet):
    """A SimpleDataSet for training."""


class TrainMultiScaleDataSet(Cached, MultiScaleDataSet):
    """A MultiScaleDataSet for training."""


class TrainLMDBDataSet(Cached, LMDBDataSet):
    """An LMDBDataSet for training."""


class WidthBucketSampler(Named):
    """(ours) Lines of like width in a batch."""

    name: Literal["WidthBucketSampler"] = "WidthBucketSampler"
    max_width: Count = Field(description="pixels; wider lines are squeezed to it")
    pixels_per_batch: Annotated[int | None, optional(COUNT)] = Field(
        None,
        description="pixels a batch may hold, so that wide lines come in smaller batches; none = the fixed canvas's",
    )


class MultiScaleSampler(Named):
    """Batches at several canvas sizes."""

    name: Literal["MultiScaleSampler"] = "MultiScaleSampler"
    scales: Annotated[list[list[int]], PAIRS_OF_SIDES] = Field(description="widths and heights in pixels")
    first_bs: LinesInBatch = Field(description="lines in a batch of the first scale")
    fix_bs: Flag = Field(False, description="as many lines at every scale")
    divided_factor: Annotated[list[int], SIDES] = Field(
        [8, 16], description="what width and height are rounded down to a multiple of"
    )
    is_training: UnreadFlag = Field(None, description="several scales, else one")

    @property
    def sizes_px(self) -> list[tuple[int, int]]:
        """Width and height of the canvas of each scale."""
        wide, high = self.divided_factor
        return [(width // wide * wide, height // high * high) for width, height in self.scales]

    @model_validator(mode="after")
    def _check_scales(self) -> MultiScaleSampler:
        if not self.scales:
            raise wrong_below("is empty: give at least one pair of width and height.", "scales")
        for index, size in enumerate(self.sizes_px):
            if not min(size):
                raise wrong_below(
                    f"is {self.scales[index]!r}, smaller than divided_factor, {self.divided_factor!r}: enlarge it.",
                    "scales",
                    index,
                )
        return self


class RatioSampler(Named):
    """(OpenOCR) Lines of one canvas of MultiSizeResize in a batch."""

    name: Literal["RatioSampler"] = "RatioSampler"
    first_bs: Annotated[int | None, optional(between(INT, 1, MOST_LINES))] = Field(
        None,
        description="lines in a batch, of lines wider than base_shape fewer; none = Train.loader.batch_size_per_card",
    )
    scales: Annotated[list[list[int]], PAIRS_OF_SIDES] = Field(
        [[128, 32]], description="width and height in pixels that first_bs is for: one pair"
    )
    fix_bs: UnreadFlag = Field(None, description="OpenOCR gives wide lines smaller batches all the same")
    divided_factor: Annotated[list[int] | None, optional(SIDES), UNREAD] = Field(
        None, description="the canvases are those of MultiSizeResize"
    )
    is_training: UnreadFlag = Field(None, description="the section says whether it trains")

    @model_validator(mode="after")
    def _check_scales(self) -> RatioSampler:
        if len(self.scales) != 1:
            raise wrong_below(f"holds {len(self.scales)} pairs: give the one that first_bs is for.", "scales")
        return self


class TrainLoader(Section):
    """How batches are made."""

    batch_size_per_card: LinesInBatch = Field(description="lines in a batch, for each process")
    shuffle: Flag = Field(True, description="a new order in every epoch")
    drop_last: Flag = Field(False, description="leave out a short last batch")
    num_workers: Annotated[int, between(INT, 0, MOST_THREADS)] = Field(
        0, description="threads that prepare batches ahead, at least one"
    )
    use_shared_memory: UnreadFlag = Field(None, description="how batches travel between processes")
    num_sections: UnreadInt = Field(None, description="a leftover")


def _checked_loader(value: Any) -> Any:
    if not isinstance(value, dict) or value.keys() - TrainLoader.model_fields.keys():
        raise ValueError
    return value


LOADER = Kind(f"a mapping of {', '.join(TrainLoader.model_fields)}", _checked_loader)


class TrainSettings(Section):
    """The section Train."""

    dataset: Annotated[DatasetSettings, ByName(TrainSimpleDataSet, TrainMultiScaleDataSet, TrainLMDBDataSet)] = Field(
        {}, validate_default=True
    )
    sampler: Annotated[Named | None, ByName(WidthBucketSampler, MultiScaleSampler, RatioSampler)] = Field(
        None, description="which lines make a batch; none = as many as the loader says on one canvas"
    )
    loader: TrainLoader = Field({}, validate_default=True)
    replay: Replay = Field([], description="(ours) other lines that are mixed with the labelled ones")
    teacher: Teacher | None = Field(
        None, description="(ours) the network whose answers count in Train.replay and for Loss.answers_weight"
    )
    repeats: Repeats | None = Field(None, description="(ours) how often lines are repeated in an epoch")
    misread_characters: MisreadCharacters | None = Field(
        None, description="(ours) train the characters that the pretrained network misreads, and nothing else"
    )

    @model_validator(mode="after")
    def _check_sampler(self) -> TrainSettings:
        """Only one sampler knows several canvases by ratio, and it needs them."""
        by_ratio, samples = isinstance(self.dataset.resize, MultiSizeResize), isinstance(self.sampler, RatioSampler)
        if by_ratio != samples and self.dataset.resize is not None:
            told, resize = self.sampler.name if self.sampler else "missing", type(self.dataset.resize).__name__
            remedy = "RatioSampler" if by_ratio else "another sampler, or MultiSizeResize as the resize"
            raise wrong_below(f"is {told}, but the resize is {resize}: give {remedy}.", "sampler")
        if by_ratio and self.dataset.cache_dir:
            told = "keeps lines of one height, but MultiSizeResize has several: leave it empty."
            raise wrong_below(told, "dataset", "cache_dir")
        if by_ratio and self.dataset.operation("RecConAug") is not None:
            told = "hold RecConAug, whose joined lines MultiSizeResize would squeeze to one canvas: leave it out."
            raise wrong_below(told, "dataset", "transforms")
        return self

    @property
    def reads_lines(self) -> bool:
        """Whether the pretrained network has to read the labelled lines first."""
        return self.misread_characters is not None or (self.repeats is not None and self.repeats.reads_lines)


class EvalSettings(Section):
    """The section Eval."""

    dataset: Annotated[DatasetSettings, ByName(SimpleDataSet, MultiScaleDataSet, LMDBDataSet)] = Field(
        {}, validate_default=True
    )
    loader: Annotated[dict[str, Any] | None, optional(LOADER), UNREAD] = Field(
        None, description="lines are read in batches of their own widths"
    )
