"""Reading lines with an exported folder.

`line_reader` lays lines on canvases. Nothing is kept between lines, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from scenetext.config import Config
from scenetext.data.sources.images import ImageSource, open_images
from scenetext.errors import InputError, nearest_hint
from scenetext.predict.choices import LENGTH_BONUS, LM_WEIGHT
from scenetext.predict.decoding_settings import GREEDY, Decoding, check_dictionary
from scenetext.predict.engines import AUTO, open_engine, spread_of_one_process
from scenetext.predict.forms import FORMS, TabForm
from scenetext.predict.images import (
    PredictionSummary,
    image_names,
    warn_of_escaped,
    warn_of_passed_over,
    warn_of_unreadable,
)
from scenetext.predict.line_reader import LineReader
from scenetext.predict.model_files import check_files, file_facts, unchanged
from scenetext.predict.model_folder import read_inference_yml
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.name_list import read_names
from scenetext.predict.ngram import NGramModel
from scenetext.predict.ngram_mixture import NGramMixture
from scenetext.predict.prediction_file import (
    LINES_PER_SHARED_PIECE,
    WORKERS,
    check_out,
    origin,
    warn_of_breaking_characters,
    write_predictions,
    write_predictions_together,
)
from scenetext.predict.trained_model import load_reader, reader_facts
from scenetext.predict.turned import checked_margin
from scenetext.system.launched import ALONE, Process
from scenetext.system.locks import only_writer
from scenetext.system.process import share_one_heap
from scenetext.system.resumable import ResumableLines
from scenetext.system.shared_job import SharedJob


class Recognizer(LineReader):
    """An exported folder as a reader: `Recognizer(folder)(images)` → [(text, confidence), ...].

    Args:
        folder: what `scenetext export` wrote, or any folder of PaddleX's form.
        engine: "paddle" (Paddle Inference), "onnxruntime", or "auto": the faster one on this machine.
        batch_size: lines computed at a time, fewer of wide ones.
        threads: CPU threads; by default all cores that the process may use.
        beam_width: texts that CTC decoding follows at once; 0 takes the best class of every step.
        language_model: ranks the texts of the beam together with the network.
        lm_weight, length_bonus: see `beam_search.Ranking`. `scenetext tune-decoding` finds values for a network.
        turned: the margin by which a line's turned reading must be surer; None reads lines upright. See LineReader.

    Attributes:
        files: the SHA-256 and the size in bytes of the folder's files, by name, as they were read.

    Raises:
        InputError: the folder is not complete, a file is not the one that was exported, or a beam width is given for a
            network that CTC does not decode.
        RunError: the folder was changed while it was being opened.
    """

    def __init__(
        self,
        folder: str | Path,
        engine: str = AUTO,
        batch_size: int = 16,
        threads: int | None = None,
        beam_width: int = 0,
        language_model: NGramModel | NGramMixture | None = None,
        lm_weight: float = LM_WEIGHT,
        length_bonus: float = LENGTH_BONUS,
        turned: float | None = None,
    ):
        checked_margin(turned)  # before anything is read
        with unchanged(folder):
            settings = read_inference_yml(folder)
            self.files = file_facts(folder)
            check_files(folder, self.files, settings.checksums)
            engine = open_engine(engine, folder, threads)
        super().__init__(engine, settings.charset, settings.canvas, batch_size, settings.decoding, turned)
        decoding = Decoding(beam_width, language_model, lm_weight, length_bonus)
        self.decode = decoding.decoder(str(folder), settings.decoding)
        check_dictionary(decoding, self.charset)


def predict_to_file(
    model: str | Path | tuple[Config, str],
    images: str | Path,
    out: str | Path,
    engine: str = AUTO,
    batch_size: int = 16,
    progress: bool = True,
    decoding: Decoding = GREEDY,
    turned: float | None = None,
    names: str | Path | None = None,
    form: str | None = None,
    min_confidence: float = 0.0,
    process: Process = ALONE,
) -> PredictionSummary | None:
    """Reads pictures into a file, one line a picture, whole or not at all.

    Pictures that cannot be read stand in it with an empty text and are named on stderr, as are files that were passed
    over. A job that was stopped leaves its lines in `OUT.part`, or in `OUT.parts` where several processes share it; the
    same call resumes there.

    Args:
        model: the exported folder; or the configuration of a network and its weights, which Paddle computes.
        images: a folder, zip, LMDB or picture.
        out: the file; all processes share its folder.
        engine, batch_size: see Recognizer.
        progress: show a bar.
        decoding: see `beam_decoding` and `load_decoding`.
        turned: see Recognizer.
        names: a file that lists the pictures to read; by default all.
        form: "infer_rec" or "predict_rec": the lines and the log of PaddleOCR's tool of that name (see `forms`); by
            default lines `name<TAB>text<TAB>confidence`.
        min_confidence: texts of a smaller confidence are left out; their lines keep the confidence.
        process: this one of several that read the pictures together; see `SharedJob`.

    Returns:
        What became of the pictures; None in all processes but the first.

    Raises:
        InputError: there are no pictures, the model's folder is not complete, `out` cannot be a file, or an option has
            a value that does not exist.
        RunError: another process writes `out` now, the first of several processes does not come, or the disk is full or
            broken.
    """
    out = Path(out)
    check_out(out, images)
    _check_options(form, min_confidence)
    share_one_heap()
    source = open_images(images)
    wanted = image_names(source) if names is None else read_names(names, source)
    written = TabForm() if form is None else FORMS[form](images)
    wanted = written.order(wanted)
    if isinstance(model, tuple):
        reader, files, shown = _trained_reader(*model, engine, batch_size, turned, decoding)
    else:
        reader = Recognizer(model, engine, batch_size, process.threads, turned=turned, **decoding.reader_options)
        files, shown = {name: facts["sha256"] for name, facts in reader.files.items()}, model
    warn_of_passed_over(source)
    warn_of_escaped(wanted)
    warn_of_breaking_characters(reader, shown)
    reader.spread = spread_of_one_process(reader.engine)
    made_from = _origin(files, reader, source, wanted, decoding, form, min_confidence)
    what = (reader, source, wanted, written)
    how = dict(min_confidence=min_confidence, progress=progress and not written.logs)
    with only_writer(out) if process.is_first else nullcontext():
        if SharedJob.is_for(process, out):
            with SharedJob(out, made_from, process, wanted, LINES_PER_SHARED_PIECE, adopted=[WORKERS]) as job:
                summary = write_predictions_together(job, *what, **how)
        else:
            summary = write_predictions(ResumableLines(out, made_from), *what, **how)
    if summary is not None:
        warn_of_unreadable(summary)
    return summary


def _trained_reader(
    config: Config, weights: str, engine: str, batch_size: int, turned: float | None, decoding: Decoding
) -> tuple[ModelReader, dict[str, str], str]:
    """A network that is not exported as a reader, the hash of what it depends on, and its name in messages."""
    if engine != AUTO:
        raise InputError(f"--engine {engine} computes an exported folder, and Paddle computes --weights: leave it out.")
    reader = load_reader(config, weights, turned=turned)
    reader.batch_size = batch_size
    reader.decode = decoding.decoder(weights, reader.decoding)
    check_dictionary(decoding, reader.charset)
    return reader, reader_facts(reader), weights


def _check_options(form: str | None, min_confidence: float) -> None:
    if form is not None and form not in FORMS:
        raise InputError(f"The form {form!r} is unknown: {nearest_hint(form, FORMS)}.")
    if not 0 <= min_confidence <= 1:
        raise InputError(f"The least confidence {min_confidence:g} is no probability: give a number from 0 to 1.")


def _origin(
    files: dict[str, str],
    reader: LineReader,
    source: ImageSource,
    names: Sequence[str],
    decoding: Decoding,
    form: str | None,
    min_confidence: float,
) -> dict[str, object]:
    return origin(
        files,
        reader,
        source,
        names,
        decoding=decoding.facts,
        turned=reader.turned,
        form=form,
        min_confidence=min_confidence,
    )
