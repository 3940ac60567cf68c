"""How the output of a CTC network is decoded: greedily, or by a beam with language models, and the folder that says so.

The folder, which `scenetext tune-decoding` writes, holds `decoding.json` and the n-gram files that it names, each with
its share and SHA-256.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scenetext.errors import InputError
from scenetext.predict.beam_search import ctc_beam
from scenetext.predict.choices import LENGTH_BONUS, LM_WEIGHT
from scenetext.predict.decode import GREEDY_DECODERS
from scenetext.predict.ngram import NGramModel
from scenetext.predict.ngram_mixture import NGramMixture
from scenetext.system.file_names import shown_path
from scenetext.system.files import sha256_file
from scenetext.system.regular_files import read_regular_file
from scenetext.system.untrusted import reading
from scenetext.text.charset import Charset

SETTINGS = "decoding.json"
FORMAT = "scenetext decoding"
LEAST_COVERED = 0.5  # of a corpus's characters; below, the n-gram file is of another dictionary
_MOST_MODELS = 16
_LARGEST_BYTES = 1_000_000  # of decoding.json


@dataclass(frozen=True, slots=True)
class Decoding:
    """How lines are decoded.

    Attributes:
        beam_width: texts that CTC decoding follows at once; 0 takes the best class of every step.
        language_model: ranks the texts of the beam together with the network.
        lm_weight, length_bonus: see `beam_search.Ranking`; without a language model they have no effect.
        files: SHA-256 and share of each n-gram file that the language model was read from.
    """

    beam_width: int = 0
    language_model: NGramModel | NGramMixture | None = None
    lm_weight: float = LM_WEIGHT
    length_bonus: float = LENGTH_BONUS
    files: tuple[tuple[str, float], ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What the texts depend on, as JSON: the settings, and the checksums of the n-gram files with their shares."""
        if self.language_model is None:
            return {"beam_width": self.beam_width}
        settings = {"beam_width": self.beam_width, "lm_weight": self.lm_weight, "length_bonus": self.length_bonus}
        return {**settings, "language_models": [list(file) for file in self.files]}

    @property
    def reader_options(self) -> dict[str, Any]:
        """The arguments of `Recognizer` that decode so."""
        return {
            "beam_width": self.beam_width,
            "language_model": self.language_model,
            "lm_weight": self.lm_weight,
            "length_bonus": self.length_bonus,
        }

    def decoder(self, network: str, decoding: str) -> Any:
        """The function that decodes a batch of probabilities, as `LineReader.decode`.

        Args:
            network: its name in messages.
            decoding: of its head, "ctc" or "attention".

        Raises:
            InputError: the settings contradict each other, or there is a beam width for a network that CTC does not
                decode.
        """
        if self.language_model is not None and not self.beam_width:
            raise InputError("A language model ranks the texts of a beam: give a beam width, too, such as 10.")
        if not self.beam_width:
            return GREEDY_DECODERS[decoding]
        if self.beam_width < 1:
            raise InputError(f"The width {self.beam_width} of a beam must be at least 1.")
        if decoding != "ctc":
            raise InputError(f"{network} decodes by {decoding}; beam search is for CTC.")
        return partial(
            ctc_beam,
            width=self.beam_width,
            language_model=self.language_model,
            lm_weight=self.lm_weight,
            length_bonus=self.length_bonus,
        )


GREEDY = Decoding()


def beam_decoding(
    beam_width: int,
    language_models: Sequence[str | Path] = (),
    lm_weight: float = LM_WEIGHT,
    length_bonus: float = LENGTH_BONUS,
    shares: Sequence[float] | None = None,
) -> Decoding:
    """The decoding that the command line describes.

    Args:
        beam_width, lm_weight, length_bonus: see Decoding.
        language_models: files that NGramModel.save wrote, interpolated.
        shares: of the files; None gives all the same.

    Raises:
        InputError: a file cannot be read, or a weight or bonus is no finite number from 0 on.
    """
    for name, value in (("language model's weight", lm_weight), ("length bonus", length_bonus)):
        if not 0 <= value < 1000:
            raise InputError(f"The {name} {value} must be from 0 to 1000; {LM_WEIGHT} and {LENGTH_BONUS} are usual.")
    if not language_models:
        return Decoding(beam_width, None, lm_weight, length_bonus)
    models = [NGramModel.load(path) for path in language_models]
    mixture = NGramMixture(models, shares)
    files = tuple((sha256_file(path), share) for path, share in zip(language_models, mixture.shares, strict=True))
    return Decoding(beam_width, mixture, lm_weight, length_bonus, files)


def chosen_decoding(
    folder: str | Path | None,
    beam_width: int = 0,
    language_models: Sequence[str | Path] = (),
    lm_weight: float = LM_WEIGHT,
    length_bonus: float = LENGTH_BONUS,
) -> Decoding:
    """The decoding of a folder if there is one, else that of the other arguments; see `beam_decoding`.

    Raises:
        InputError: both are given, or see `load_decoding` and `beam_decoding`.
    """
    if folder is None:
        return beam_decoding(beam_width, language_models, lm_weight, length_bonus)
    if beam_width or language_models:
        raise InputError("--decoding names beam and language models: leave out --beam-width and --language-model.")
    return load_decoding(folder)


def load_decoding(folder: str | Path) -> Decoding:
    """Reads the folder that `scenetext tune-decoding` wrote.

    Raises:
        InputError: it is no such folder, or a file in it is another one.
    """
    path = Path(folder) / SETTINGS
    remedy = "give the folder that `scenetext tune-decoding` wrote"
    with reading(shown_path(path), "a tuned decoding", remedy):
        settings = json.loads(read_regular_file(path, _LARGEST_BYTES))
        if settings["format"] != FORMAT:
            raise ValueError(f"its format is {str(settings['format'])[:40]!r}")
        models = [(str(m["file"]), float(m["share"]), str(m["sha256"])) for m in settings["language_models"]]
        beam_width = int(settings["beam_width"])
        weight, bonus = float(settings["lm_weight"]), float(settings["length_bonus"])
    if len(models) > _MOST_MODELS or any(Path(name).name != name for name, _, _ in models):
        raise InputError(f"{shown_path(path)} names files that do not lie beside it: {remedy}.")
    files = [Path(folder) / name for name, _, _ in models]
    decoding = beam_decoding(beam_width, files, weight, bonus, [share for _, share, _ in models] or None)
    for file, (found, _), (_, _, expected) in zip(files, decoding.files, models, strict=True):
        if found != expected:
            raise InputError(f"{shown_path(file)} is not the file that was tuned with, by its SHA-256: {remedy}.")
    return decoding


def check_dictionary(decoding: Decoding, charset: Charset) -> None:
    """Refuses a language model of another dictionary, whose characters the network mostly cannot read.

    A smaller difference is said on stderr.

    Raises:
        InputError: the network has less than LEAST_COVERED of the characters of a language model's texts.
    """
    model = decoding.language_model
    models = model.models if isinstance(model, NGramMixture) else () if model is None else (model,)
    characters = set("".join(charset.characters))
    for number, each in enumerate(models, 1):
        covered = each.covered_by(characters)
        which = f"language model {number}" if len(models) > 1 else "the language model"
        if covered < LEAST_COVERED:
            raise InputError(
                f"The network has classes for only {covered:.0%} of the characters that {which} was trained on: it is "
                "of another dictionary. Train it on texts in the network's characters."
            )
        if covered < 0.99:
            print(f"{which}: the network has no class for {1 - covered:.1%} of its texts' characters", file=sys.stderr)
