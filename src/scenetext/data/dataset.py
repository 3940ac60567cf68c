"""Labelled lines as a network sees them: a resized picture and the classes of its characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from scenetext.data.augment import RecAug
from scenetext.data.cache import LineCache, open_cache
from scenetext.data.checking import check_pictures
from scenetext.data.line_aug import LineAug, stacked
from scenetext.data.sources.images import ImageSource
from scenetext.data.transforms import decode_image, resize_line, resized_width, resized_widths, stretch_line
from scenetext.errors import InputError
from scenetext.text.charset import Charset
from scenetext.text.records import Record, RecordTable


@dataclass(frozen=True)
class JoinLines:
    """RecConAug: appends other lines to the right of a line, their labels to its label.

    Attributes:
        prob: probability that a line is joined with others.
        ext_data_num: the largest number of lines appended.
        max_ratio: a joined line is at most this many times wider than high.
    """

    prob: float
    ext_data_num: int
    max_ratio: float


class _Ids(Sequence[list[int]]):
    """The classes of every text, encoded when asked for: lists of them would be larger than the label file."""

    def __init__(self, records: RecordTable, charset: Charset):
        self._records = records
        self._charset = charset

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> list[int]:
        return self._charset.encode(self._records.text(index))

    def __iter__(self) -> Iterator[list[int]]:
        return map(self._charset.encode, self._records.texts())


@dataclass
class Lines:
    """Labelled lines; `load` gives one with training's augmentations.

    Attributes:
        records: names and texts, kept as a RecordTable.
        images: the source in which the names are found.
        charset: the classes.
        height_px: the height of every line, unless the sampler gives another.
        max_width_px: wider lines are squeezed to this width.
        stretched: all lines are stretched to `max_width_px`, whatever their proportions.
        drops_unknown: characters that the charset lacks are left out of the labels, as PaddleOCR does; otherwise they
            are an error.
        unknown: how often each of these characters was left out.
        shortened: how many labels they were left out of, those included of which nothing remained; these lines are left
            out.
        longest_label: lines with more characters are left out, and no joined label has more; None = no limit.
        too_long: the lines that were left out.
        augment, join, line_aug: augmentations in training; None for none.
        seed: with the epoch and the line's number it determines every random draw.
        progress: show a bar while many pictures are checked.
        cache: the source of pictures in place of `images`, after `use_cache`.
        sizes_px: (N, 2) int32, width and height of every picture, after `check_pictures`.
    """

    records: Sequence[Record]
    images: ImageSource
    charset: Charset
    height_px: int
    max_width_px: int
    stretched: bool = False
    longest_label: int | None = None
    drops_unknown: bool = False
    augment: RecAug | None = None
    join: JoinLines | None = None
    line_aug: LineAug | None = None
    seed: int = 0
    progress: bool = False
    unknown: Counter[str] = field(init=False, default_factory=Counter)
    shortened: int = field(init=False, default=0)
    too_long: Sequence[Record] = field(init=False, default_factory=list)
    cache: LineCache | None = field(init=False, default=None)
    sizes_px: np.ndarray | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.records = RecordTable.of(self.records)
        given = len(self.records)
        if self.drops_unknown and self.charset.may_lack(self.records.characters()):
            self.records = RecordTable.of(list(self._without_unknown()))
        if self.longest_label is not None:
            fits = self._label_lengths() <= self.longest_label
            self.too_long = self.records.take(np.flatnonzero(~fits))
            self.records = self.records.take(np.flatnonzero(fits))
        if not self.records:
            raise InputError(self._nothing_left(given))
        if self.charset.may_lack(self.records.characters()):
            self._check_characters()

    def _nothing_left(self, given: int) -> str:
        """Why no line is left of so many."""
        if not given:
            return "There are no labelled lines to read."
        reasons = []
        if self.too_long:
            reasons.append(f"{len(self.too_long)} labels are longer than {self.longest_label} characters")
        if given > len(self.too_long):
            reasons.append(f"the dictionary has no character of the other {given - len(self.too_long)}")
        return (
            f"None of the {given} lines is left to train on: {' and '.join(reasons)}. Raise Global.max_text_length, or "
            "name the dictionary of these labels in Global.character_dict_path."
        )

    def _label_lengths(self) -> np.ndarray:
        """(N,) int64: the number of characters of every label once the charset has folded its case."""
        folded = self.charset.folded
        if all(len(folded(character)) == 1 for character in self.records.characters()):
            return self.records.text_lengths()
        return np.fromiter((len(folded(text)) for text in self.records.texts()), np.int64, len(self))  # İ becomes two

    def _without_unknown(self) -> Iterator[Record]:
        """The records without the characters that the charset lacks, which are counted."""
        for record in self.records:
            unknown = self.charset.unknown(record.text)
            if unknown:
                self.unknown.update(unknown)
                self.shortened += 1
                kept = "".join(c for c in self.charset.folded(record.text) if c not in unknown)
                if not kept:
                    continue
                record = replace(record, text=kept)
            yield record

    def _check_characters(self) -> None:
        """Raises InputError with the locations of the characters that the charset lacks."""
        lacking: dict[str, str] = {}
        labels = 0
        for record in self.records:
            unknown = self.charset.unknown(record.text)
            labels += bool(unknown)
            for character in unknown:
                lacking.setdefault(character, record.location)
        if lacking:
            if " " in lacking and not self.charset.use_space_char:
                others = len(lacking) - 1
                more = f" It also lacks {others} other characters of the labels." if others else ""
                raise InputError(
                    f"The labels hold spaces ({lacking[' ']}) and the dictionary has none: set Global.use_space_char "
                    "to true, which adds a class for the space, or remove them by `scenetext prepare --spaces remove`."
                    f"{more}"
                )
            some = ", ".join(f"{c!r} ({location})" for c, location in list(lacking.items())[:5])
            more = "…" if len(lacking) > 5 else ""
            raise InputError(
                f"The dictionary lacks {len(lacking)} characters of the labels: {some}{more}. They occur in {labels} "
                f"of {len(self)} labels: build the dictionary from them with `scenetext prepare`, add them to it, "
                "one a line, or leave them out of the training labels, as PaddleOCR does, by "
                "Global.unknown_characters=drop."
            )

    @property
    def ids(self) -> Sequence[list[int]]:
        """The classes of every line's label."""
        return _Ids(self.records, self.charset)

    def __len__(self) -> int:
        return len(self.records)

    def use_cache(self, folder: str | Path, progress: bool = True) -> None:
        """Takes the pictures from a cache of decoded lines in `folder` from now on, and builds it if it is missing.

        Cached lines have been resized to `height_px` with their proportions kept, and squeezed to `max_width_px`.
        Without augmentation `load` gives the same pixels as before; RecAug and RecConAug work on resized lines, and
        lines that are `stretched` or loaded at another height are resized twice.

        Args:
            folder: the folder of caches; made when missing.
            progress: show a bar while building.
        """
        self.cache = open_cache(folder, self.images, self.records.names, self.height_px, self.max_width_px, progress)

    def widths_px(self) -> np.ndarray:
        """(N,) int64: width of every line at `height_px`, from the cache or from the image files' headers alone."""
        if self.cache is not None:
            return self.cache.widths_px
        self.check_pictures()
        return resized_widths(self.sizes_px, self.height_px, self.max_width_px)

    def check_pictures(self) -> None:
        """Checks once every picture that training will need, and keeps their sizes in `sizes_px`.

        A cache has decoded all of them already.

        Raises:
            InputError: some cannot be read; see `checking.check_pictures`.
        """
        if self.cache is None and self.sizes_px is None:
            self.sizes_px = check_pictures(self.images, self.records, "the training set", self.progress)

    def picture_sizes_px(self) -> np.ndarray:
        """(N, 2) int32: width and height of every picture."""
        self.check_pictures()
        return self.sizes_px

    def load(
        self, index: int, epoch: int = 0, height_px: int | None = None, filled_px: int | None = None
    ) -> tuple[np.ndarray, list[int]]:
        """Line `index` as (height_px, w, 3) uint8 and its classes; the same for the same seed, epoch and index.

        Args:
            index: of the line.
            epoch: of the training.
            height_px: by default that of all lines.
            filled_px: the width that the line is stretched to; by default it keeps its proportions.
        """
        height_px = height_px or self.height_px
        rng = np.random.default_rng((self.seed, epoch, index))
        image, ids = self._decode(index), self.ids[index]
        if self.join is not None and rng.random() < self.join.prob:
            image, ids = self._joined(image, ids, rng)
        if self.line_aug is not None:
            if rng.random() < self.line_aug.rows_prob:
                image, ids = self._with_second_row(image, ids, rng)
            image = self.line_aug(image, self.charset.decode(ids), rng)
        # computed before rows are cropped: the cropped line would come out wider and widen the canvas of a whole batch
        width_px = self.max_width_px if self.stretched else resized_width(image.shape, height_px, self.max_width_px)
        if self.augment is not None:
            image = self.augment(image, rng)
        if filled_px is not None:
            return stretch_line(image, height_px, filled_px), ids
        return resize_line(image, height_px, width_px), ids

    def picture(self, index: int, epoch: int = 0) -> np.ndarray:
        """(H, W, 3) uint8: line `index` as `load` gives it."""
        return self.load(index, epoch)[0]

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """(3, H, W) float32 of a batch, in [-1, 1] → (H, W, 3) uint8."""
        return np.nan_to_num((image.transpose(1, 2, 0) * 0.5 + 0.5) * 255).clip(0, 255).astype(np.uint8)

    def _decode(self, index: int) -> np.ndarray:
        if self.cache is not None:
            return self.cache.load(index)
        record = self.records[index]
        return decode_image(self.images.read(record.name), f"{self.images.location(record.name)} ({record.location})")

    def _with_second_row(
        self, image: np.ndarray, ids: list[int], rng: np.random.Generator
    ) -> tuple[np.ndarray, list[int]]:
        other = int(rng.integers(0, len(self)))
        longer = ids + self.ids[other]
        if self.longest_label is not None and len(longer) > self.longest_label:
            return image, ids
        return stacked(image, self._decode(other)), longer

    def _joined(self, image: np.ndarray, ids: list[int], rng: np.random.Generator) -> tuple[np.ndarray, list[int]]:
        height = self.height_px
        widest_px = height * self.join.max_ratio
        # a wider line is squeezed to `max_width_px` later; a picture of one row of pixels would become gigabytes
        image = resize_line(image, height, resized_width(image.shape, height, max(self.max_width_px, int(widest_px))))
        for other in rng.integers(0, len(self), self.join.ext_data_num):
            addition = self._decode(int(other))
            longer = ids + self.ids[other]
            added_px = resized_width(addition.shape, height)
            too_long = self.longest_label is not None and len(longer) > self.longest_label
            if too_long or image.shape[1] + added_px > widest_px:
                break
            image, ids = np.hstack([image, resize_line(addition, height, added_px)]), longer
        return image, ids
