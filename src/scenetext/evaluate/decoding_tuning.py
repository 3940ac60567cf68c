"""Finds how a network's lines are decoded best: the weight of a language model and the bonus for length.

The network reads the labelled lines once; what is left of its output after pruning is searched again for each pair of
weight and bonus. Of the pairs that read no fewer lines than the best one, up to one standard error of the difference,
the one of the smallest weight is kept (the rule of one standard error of Breiman et al., Classification and Regression
Trees, 1984, section 3.4.3): the best of many pairs is so partly by chance.

A pair that is chosen on the lines that it is scored on looks better than it is. So the gain that is told comes from
five folds: each fifth of the lines is read with what was chosen on the others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from scenetext.data.sources.images import open_images
from scenetext.errors import InputError, RunError
from scenetext.evaluate.comparison import Comparison, compare_texts
from scenetext.evaluate.scoring import read_labels
from scenetext.predict.beam_search import Ranking, Step, likely_steps, search
from scenetext.predict.decode import GREEDY_DECODERS
from scenetext.predict.decoding_settings import FORMAT, SETTINGS, Decoding, check_dictionary
from scenetext.predict.images import read_records, warn_of_passed_over
from scenetext.predict.line_reader import LineReader
from scenetext.predict.ngram import NGramModel
from scenetext.predict.ngram_mixture import NGramMixture, character_probabilities, fitted_shares
from scenetext.predict.recognizer import Recognizer
from scenetext.system.file_names import shown_path
from scenetext.system.files import may_be_replaced, replacing_folder, sha256_file, write_json
from scenetext.text.charset import Charset
from scenetext.text.normalise import normalise_for_score
from scenetext.text.records import Record
from scenetext.text.text_files import read_texts

WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
BONUSES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
FOLDS = 5
SHARE_STEP = 0.05
_REMEMBERED = 1 << 20  # probabilities, some 200 bytes each

Pair = tuple[float, float]
"""A language model's weight, and the bonus for each character."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was found.

    Attributes:
        lm_weight, length_bonus: chosen on all lines.
        shares: of the language models.
        on_lines: greedy decoding against what was chosen, on the lines that it was chosen on.
        held_out: the same by folds, on lines that it was not chosen on.
        table: the normalised accuracy of each pair of weight and bonus.
    """

    lm_weight: float
    length_bonus: float
    shares: tuple[float, ...]
    on_lines: Comparison
    held_out: Comparison
    table: tuple[tuple[float, float, float], ...]

    @property
    def gains(self) -> bool:
        """Whether it reads more of the lines than greedy decoding, and the folds do not contradict that."""
        return self.on_lines.difference.value > 0 and self.held_out.difference.value >= 0

    def __str__(self) -> str:
        return (
            f"weight {self.lm_weight:g}, length bonus {self.length_bonus:g}. On the lines that chose them: "
            f"{self.on_lines}. By {FOLDS} folds, on lines that did not: {self.held_out}"
        )


def tune_decoding(
    reader: LineReader,
    records: Sequence[Record],
    images: str | Path,
    models: Sequence[NGramModel],
    beam_width: int = 10,
    seed: int = 0,
    progress: bool = True,
) -> Tuning:
    """Finds the weight and the bonus, and the shares of several language models.

    Args:
        reader: reads greedily, by CTC.
        records: labelled lines.
        images: the lines' pictures.
        models: the language models, one or more.
        beam_width: of the search.
        seed: of the folds and of the bootstrap.
        progress: show bars.

    Raises:
        InputError: CTC does not decode the network, there are fewer lines than folds, a picture cannot be read, or a
            language model is of another dictionary.
    """
    if reader.decoding != "ctc":
        raise InputError(f"The network decodes by {reader.decoding}; a language model ranks what CTC gives.")
    if len(records) < FOLDS:
        raise InputError(f"{len(records)} lines are too few to tune on: give {FOLDS} or more, better hundreds.")
    check_dictionary(Decoding(beam_width, NGramMixture(models)), reader.charset)
    lines = _Lines(*_read_steps(reader, records, images, progress), records, reader.charset, beam_width)
    folds = np.random.default_rng(seed).permutation(len(records)) % FOLDS
    with tqdm(total=(FOLDS + 1) * len(WEIGHTS) * len(BONUSES), desc="tune", unit="pair", disable=not progress) as bar:
        chosen, shares, texts, table = lines.best(models, np.ones(len(records), bool), bar)
        held_out = list(lines.greedy)
        for fold in range(FOLDS):
            _, _, of_fold, _ = lines.best(models, folds != fold, bar)
            for i in np.flatnonzero(folds == fold):
                held_out[i] = of_fold[i]
    names, targets = [record.name for record in records], [record.text for record in records]
    against = [
        compare_texts(names, targets, lines.greedy, read, ("greedy decoding", "the beam"), seed=seed)
        for read in (texts, held_out)
    ]
    return Tuning(*chosen, tuple(shares), *against, table)


class _Lines:
    """Labelled lines as the network sees them, to be searched with many rankings."""

    def __init__(
        self,
        greedy: list[str],
        steps: list[list[Step]],
        records: Sequence[Record],
        charset: Charset,
        beam_width: int,
    ):
        self.greedy = greedy
        self.targets = [normalise_for_score(record.text) for record in records]
        self._labels = [record.text for record in records]
        self._steps = steps
        self._charset = charset
        self._width = beam_width
        self._probabilities: list[np.ndarray] | None = None
        self._read: dict[tuple, list[str]] = {}
        self._remembering: dict[tuple[float, ...], _Remembering] = {}

    def best(
        self, models: Sequence[NGramModel], chosen: np.ndarray, bar: tqdm
    ) -> tuple[Pair, list[float], list[str], tuple[tuple[float, float, float], ...]]:
        """The best pair on the chosen lines, the models' shares, the texts of all lines, and the table of accuracies.

        Args:
            models: the language models.
            chosen: (lines,) bool.
            bar: is moved by one for each pair.
        """
        shares = self._shares(models, chosen)
        right: dict[Pair, np.ndarray] = {}
        for pair in itertools.product(WEIGHTS, BONUSES):
            texts = map(normalise_for_score, self._search(NGramMixture(models, shares), *pair))
            right[pair] = np.array([text == target for text, target in zip(texts, self.targets, strict=True)])[chosen]
            bar.update()
        pair = _smallest_of_the_best(right)
        table = tuple((*each, float(of_pair.mean())) for each, of_pair in right.items())
        return pair, shares, self._search(NGramMixture(models, shares), *pair), table

    def _shares(self, models: Sequence[NGramModel], chosen: np.ndarray) -> list[float]:
        if len(models) == 1:
            return [1.0]
        if self._probabilities is None:
            self._probabilities = [character_probabilities(models, text) for text in self._labels]
        shares = fitted_shares(np.concatenate([self._probabilities[i] for i in np.flatnonzero(chosen)]))
        rounded = [round(share / SHARE_STEP) for share in shares]  # so that folds have the same and share searches
        return [share / sum(rounded) for share in rounded]

    def _search(self, model: NGramMixture, weight: float, bonus: float) -> list[str]:
        """The texts of all lines; the same search is made once only."""
        key = (model.shares, weight, bonus)
        if key not in self._read:
            ranking = Ranking(self._remembering.setdefault(model.shares, _Remembering(model)), weight, bonus)
            self._read[key] = [search(steps, self._charset, self._width, ranking)[0] for steps in self._steps]
        return self._read[key]


def _smallest_of_the_best(right: dict[Pair, np.ndarray]) -> Pair:
    """The pair of the smallest weight that reads no fewer lines than the best pair, up to one standard error.

    Args:
        right: of each pair which lines it reads right, (lines,) bool.
    """
    best = max(right.values(), key=np.sum).astype(float)
    near = []
    for (weight, bonus), lines in right.items():
        fewer = best - lines
        if fewer.mean() <= fewer.std() / math.sqrt(len(fewer)):
            near.append((weight, -int(lines.sum()), bonus))
    weight, _, bonus = min(near)
    return weight, bonus


class _Remembering:
    """A language model that remembers what it was asked: one search asks nearly what the others ask."""

    def __init__(self, model: NGramMixture):
        self.order = model.order
        self.log_probability = lru_cache(maxsize=_REMEMBERED)(model.log_probability)


def _read_steps(
    reader: LineReader, records: Sequence[Record], images: str | Path, progress: bool
) -> tuple[list[str], list[list[Step]]]:
    """The greedily decoded text of each line, and its likely steps."""
    source = open_images(images)
    source.names()  # counts what is passed over
    warn_of_passed_over(source)
    both = _StepsReader(reader)
    predictions = list(read_records(both, records, source, progress))
    for prediction in predictions:
        if prediction.problem is not None:
            raise InputError(f"{prediction.problem}: leave this line out, or put a whole picture there.")
    return [prediction.text for prediction in predictions], both.steps


class _StepsReader:
    """A reader that decodes greedily and keeps the likely steps of the lines, in their order."""

    def __init__(self, reader: LineReader):
        self.steps: list[list[Step]] = []
        self._reader = reader
        self.fit = reader.fit

    def read_pieces(self, pieces: Any, on_lines: Any) -> Any:
        """See `Reader`."""
        greedy = GREEDY_DECODERS[self._reader.decoding]

        def decode(logits: np.ndarray, charset: Charset, probabilities: bool = False) -> list[Any]:
            texts = greedy(logits, charset, probabilities)
            return list(zip(texts, likely_steps(logits, probabilities=probabilities), strict=True))

        before, self._reader.decode = self._reader.decode, decode
        try:
            for results in self._reader.read_pieces(pieces, on_lines):
                self.steps += [steps for _, steps in results]
                yield [read for read, _ in results]
        finally:
            self._reader.decode = before


def tune_decoding_command(
    *,
    model: str,
    labels: str,
    images: str,
    out: str,
    texts: Sequence[str] = (),
    language_models: Sequence[str] = (),
    beam_width: int = 10,
    order: int = 5,
) -> Tuning:
    """`scenetext tune-decoding`: writes a folder for `load_decoding`, unless greedy decoding reads better.

    Args:
        model: an exported folder.
        labels, images: validation lines.
        out: the folder to write.
        texts: files of texts, one language model is trained on each.
        language_models: files that NGramModel.save wrote.
        beam_width: of the search.
        order: of the models that are trained.

    Raises:
        InputError: there is nothing to learn from, or an input is wrong.
        RunError: greedy decoding reads better; nothing is written.
    """
    if not texts and not language_models:
        raise InputError("There is no language model: give --texts FILE to learn from, or --language-model FILE.")
    if Path(out).exists() and not (Path(out).is_dir() and _holds_decoding_only(Path(out))):
        raise InputError(f"{shown_path(out)} holds other things; give the name of a new folder to write.")
    if beam_width < 1:
        raise InputError(f"The width {beam_width} of a beam must be at least 1.")
    models = [NGramModel.train(read_texts(path), order) for path in texts]
    models += [NGramModel.load(path) for path in language_models]
    records = read_labels(labels).records
    reader = Recognizer(model)
    tuning = tune_decoding(reader, records, images, models, beam_width)
    if not tuning.gains:
        raise RunError(f"No decoding was written, because greedy decoding reads these lines no worse: {tuning}.")
    kept = [(each, share) for each, share in zip(models, tuning.shares, strict=True) if share]
    _write(Path(out), tuning, beam_width, kept, reader)
    print(f"{tuning}\n{out}: {SETTINGS} and {len(kept)} n-gram files, for --decoding")
    return tuning


def _holds_decoding_only(folder: Path) -> bool:
    """Whether a folder is empty, or holds what this command wrote."""
    files = [path.name for path in folder.iterdir()]
    return may_be_replaced(folder, (SETTINGS, *(name for name in files if name.endswith(".ngram"))))


def _write(
    out: Path, tuning: Tuning, beam_width: int, models: Sequence[tuple[NGramModel, float]], reader: Recognizer
) -> None:
    with replacing_folder(out) as made:
        entries = []
        for number, (model, share) in enumerate(models, 1):
            file = made / f"{number}.ngram"
            model.save(file)
            entries.append({"file": file.name, "share": share, "sha256": sha256_file(file)})
        settings = {
            "format": FORMAT,
            "beam_width": beam_width,
            "lm_weight": tuning.lm_weight,
            "length_bonus": tuning.length_bonus,
            "language_models": entries,
            "tuned_with": {name: facts["sha256"] for name, facts in reader.files.items()},
            "on_lines": tuning.on_lines.as_dict(),
            "held_out": tuning.held_out.as_dict(),
            "accuracies": [
                dict(zip(("lm_weight", "length_bonus", "accuracy"), row, strict=True)) for row in tuning.table
            ],
        }
        write_json(made / SETTINGS, settings)
