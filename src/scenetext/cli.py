"""The command `scenetext VERB`: one verb per step, each a call of one library function.

Exit status 0 when the product exists, 2 for wrong usage or input, 1 for a failure; errors are one sentence on stderr.
Nothing heavy is imported before a verb needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from scenetext import __version__
from scenetext.bench.command import add_arguments as add_bench_arguments
from scenetext.errors import SHOW_TRACEBACK, InputError
from scenetext.evaluate.arguments import (
    benchmark_arguments,
    compare_arguments,
    evaluate_arguments,
    score_arguments,
    tune_decoding_arguments,
)
from scenetext.export.arguments import export_arguments
from scenetext.predict.arguments import (
    BEAM_OPTIONS,
    beam_arguments,
    engine_arguments,
    line_arguments,
    model_or_weights,
    read_arguments,
    reading_arguments,
    tell_unused_config,
)
from scenetext.prepare.arguments import prepare_arguments
from scenetext.report.arguments import report_arguments, runs_arguments
from scenetext.serve.arguments import serve_arguments
from scenetext.synth.arguments import synth_arguments
from scenetext.system.last_net import LastNet
from scenetext.system.launched import this_process
from scenetext.system.process import prepare_process, silence_noise
from scenetext.text.normalise import CHOICES
from scenetext.train.arguments import train_arguments
from scenetext.workflow.arguments import course_arguments, given_parameters, parameter_argument

if TYPE_CHECKING:
    from scenetext.config import Config

Arguments = argparse.Namespace
Verbs = Any  # what ArgumentParser.add_subparsers returns; argparse does not export the class


class _Parser(argparse.ArgumentParser):
    """argparse with its errors on one line and without guessing at abbreviations."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    with LastNet("scenetext") as net:
        chosen = _parser().parse_args(arguments)
        net.name = f"scenetext {chosen.verb}"
        silence_noise()
        prepare_process()
        chosen.action(chosen)
    return net.status


def _parser() -> argparse.ArgumentParser:
    epilog = f"{SHOW_TRACEBACK}=1 shows an error's traceback. evaluate, predict and read share their pictures with the "
    epilog += "processes that have the same PADDLE_TRAINERS_NUM and other PADDLE_TRAINER_IDs (environment variables)."
    parser = _Parser(prog="scenetext", description=__doc__.splitlines()[0], epilog=epilog)
    parser.add_argument("--version", action="version", version=f"scenetext {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for add in (
        *(_add_prepare, _add_synth, _add_train, _add_evaluate, _add_score, _add_compare, _add_benchmark, _add_export),
        *(_add_predict, _add_tune_decoding, _add_read, _add_serve, _add_submit, _add_report, _add_runs),
        *(_add_run, _add_demo, _add_notebooks, _add_course, _add_bench),
    ):
        add(verbs)
    return parser


def _add_verb(verbs: Verbs, name: str, action: Callable[[Arguments], None], summary: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=summary, description=summary)
    parser.set_defaults(action=action)
    return parser


def _add_prepare(verbs: Verbs) -> None:
    summary = "zips and CSV, or folders -> label files, charset and a report"
    prepare_arguments(_add_verb(verbs, "prepare", _prepare, summary))


def _add_synth(verbs: Verbs) -> None:
    synth_arguments(_add_verb(verbs, "synth", _synth, "draw lines or photos for training -> folder or LMDB"))


def _add_train(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "train", _train, "train a network into a run folder")
    _config_arguments(parser)
    train_arguments(parser)


def _add_evaluate(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "evaluate", _evaluate, "score a model against labels")
    _config_arguments(parser, required=False)
    evaluate_arguments(parser)
    reading_arguments(parser)


def _add_score(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "score", _score, "score a file of predictions against labels, without model or pictures")
    score_arguments(parser)


def _add_compare(verbs: Verbs) -> None:
    compare_arguments(_add_verb(verbs, "compare", _compare, "is B better than A on the same lines?"))


def _add_benchmark(verbs: Verbs) -> None:
    summary = "score a model on the test sets of the literature (LMDBs)"
    benchmark_arguments(_add_verb(verbs, "benchmark", _benchmark, summary))


def _add_export(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "export", _export, "write a folder for inference that fits a byte budget")
    _config_arguments(parser)
    export_arguments(parser)


def _add_predict(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "predict", _predict, "read pictures -> name<TAB>text<TAB>confidence")
    _config_arguments(parser, required=False)
    model_or_weights(parser)
    _pictures_and_out(parser, "FILE.txt", "file to write")
    engine_arguments(parser)
    beam_arguments(parser)
    line_arguments(parser)
    reading_arguments(parser)


def _add_tune_decoding(verbs: Verbs) -> None:
    summary = "tune the beam search's language model on validation lines"
    tune_decoding_arguments(_add_verb(verbs, "tune-decoding", _tune_decoding, summary))


def _add_read(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "read", _read, "find and read the texts of whole photos")
    read_arguments(parser)
    engine_arguments(parser)
    reading_arguments(parser)


def _add_serve(verbs: Verbs) -> None:
    serve_arguments(_add_verb(verbs, "serve", _serve, "answer over HTTP with an exported folder"))


def _add_submit(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "submit", _submit, "read the test pictures -> a validated submission")
    _model_arguments(parser, "DIR", "folder for predicts.txt and manifest.json", required=False)
    leaderboard = "note the leaderboard's score of the submission that --out holds already, instead of reading pictures"
    parser.add_argument("--leaderboard", type=float, metavar="SCORE", help=leaderboard)
    reading_arguments(parser)


def _add_report(verbs: Verbs) -> None:
    report_arguments(_add_verb(verbs, "report", _report, "one HTML page on a run, with its pictures"))


def _add_runs(verbs: Verbs) -> None:
    runs_arguments(_add_verb(verbs, "runs", _runs, "all runs: scores, bytes, speed, settings that differ"))


def _add_run(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "run", _run, "all six notebooks, headless")
    parser.add_argument("-c", "--config", metavar="CONFIG", help="configuration to start from")
    parameter_argument(parser)


def _add_demo(verbs: Verbs) -> None:
    parameter_argument(_add_verb(verbs, "demo", _demo, "the same on a drawn sample competition"))


def _add_notebooks(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "notebooks", _notebooks, "copy the notebooks and configurations into a folder")
    parser.add_argument("out", nargs="?", default=".", metavar="DIR", help="project folder (default: the current one)")


def _add_course(verbs: Verbs) -> None:
    course_arguments(
        _add_verb(verbs, "course", _course, "the executed notebooks of a run as HTML pages, with a comparison")
    )


def _add_bench(verbs: Verbs) -> None:
    parser = _add_verb(verbs, "bench", _bench, "measured comparisons")
    add_bench_arguments(parser, _config_arguments)


def _config_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("-c", "--config", required=required, metavar="CONFIG", help="YAML in PaddleOCR's schema")
    parser.add_argument(
        "-o", "--override", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change single settings"
    )


def _model_arguments(parser: argparse.ArgumentParser, out: str, out_help: str, required: bool = True) -> None:
    parser.add_argument("--model", required=required, metavar="DIR", help="an exported folder")
    _pictures_and_out(parser, out, out_help, required)


def _pictures_and_out(parser: argparse.ArgumentParser, out: str, out_help: str, required: bool = True) -> None:
    parser.add_argument("--images", required=required, metavar="DIR|FILE|ZIP", help="what to read")
    parser.add_argument("--out", required=True, metavar=out, help=out_help)


def _prepare(chosen: Arguments) -> None:
    from scenetext.prepare.preparation import prepare, summary

    report = prepare(
        chosen.raw,
        chosen.out,
        val=_fraction_or_count(chosen.val),
        seed=chosen.seed,
        **{name: getattr(chosen, name) for name in CHOICES},
        extra_characters=chosen.extra_characters,
    )
    print(summary(report))


def _synth(chosen: Arguments) -> None:
    from scenetext.synth.command import synth_command

    synth_command(**_options(chosen))


def _fraction_or_count(text: str) -> float | int:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise InputError(f"--val {text}: give a fraction such as 0.1 or a count such as 500.") from None


def _load_config(chosen: Arguments) -> Config:
    from scenetext.config import load_config

    if chosen.config is None:
        raise InputError("--weights needs the configuration of the network: give it by -c CONFIG.")
    return load_config(chosen.config, chosen.override)


def _train(chosen: Arguments) -> None:
    config = _load_config(chosen)
    from scenetext.train.command import train_command  # after the check: importing Paddle takes a second

    train_command(config, chosen.config, chosen.allow_changed, chosen.folds)


def _evaluate(chosen: Arguments) -> None:
    tell_unused_config(chosen)
    config = None if chosen.model else _load_config(chosen)
    from scenetext.evaluate.command import evaluate_any

    names = ("weights", "model", "labels", "images", "out", "turned", "decoding", "thresholds")
    evaluate_any(config=config, **{name: getattr(chosen, name) for name in names})


def _score(chosen: Arguments) -> None:
    from scenetext.evaluate.scoring import score_command

    score_command(**_options(chosen))


def _compare(chosen: Arguments) -> None:
    from scenetext.report.comparison_page import compare_command

    compare_command(**_options(chosen))


def _benchmark(chosen: Arguments) -> None:
    from scenetext.evaluate.benchmarking import benchmark_command

    benchmark_command(**_options(chosen))


def _options(chosen: Arguments) -> dict[str, Any]:
    """The arguments of a verb that one function takes by the same names."""
    return {name: value for name, value in vars(chosen).items() if name not in ("verb", "action")}


def _export(chosen: Arguments) -> None:
    from scenetext.export.exporter import export_model
    from scenetext.text.charset import named_characters

    kept = [character for name in chosen.characters or () for character in named_characters(name)]
    export_model(
        _load_config(chosen),
        chosen.weights,
        chosen.out,
        max_mb=chosen.max_mb,
        format=chosen.format,
        storage=chosen.storage,
        characters=kept if chosen.characters else None,
        finetune_steps=chosen.finetune_steps,
        budgets_mb=chosen.budgets,
        labels=chosen.labels,
        images=chosen.images,
    )


def _predict(chosen: Arguments) -> None:
    from scenetext.predict.decoding_settings import chosen_decoding
    from scenetext.predict.recognizer import predict_to_file

    lines = dict(names=chosen.list, form=chosen.form, min_confidence=chosen.min_confidence)
    decoding = chosen_decoding(chosen.decoding, **{name: getattr(chosen, name) for name in BEAM_OPTIONS})
    how = dict(engine=chosen.engine, batch_size=chosen.batch_size, turned=chosen.turned, decoding=decoding)
    lines["process"] = this_process()
    tell_unused_config(chosen)
    model = chosen.model or (_load_config(chosen), chosen.weights)
    read = predict_to_file(model, chosen.images, chosen.out, **how, **lines)
    if read is None or chosen.form is not None:  # another process tells, or stdout is the log of PaddleOCR's tool
        return
    withheld = f", {read.withheld} texts left out below {chosen.min_confidence:g}" if chosen.min_confidence else ""
    counts = f"{read.lines} lines, {read.empty} of them empty, {len(read.unreadable)} pictures unreadable"
    print(f"{chosen.out}: {counts}{withheld}")


def _read(chosen: Arguments) -> None:
    from scenetext.evaluate.command import read_and_score

    read_and_score(**_options(chosen))


def _serve(chosen: Arguments) -> None:
    from scenetext.serve.server import serve_command

    serve_command(**_options(chosen))


def _tune_decoding(chosen: Arguments) -> None:
    from scenetext.evaluate.decoding_tuning import tune_decoding_command

    tune_decoding_command(**_options(chosen))


def _submit(chosen: Arguments) -> None:
    from scenetext.submit.command import submit_command

    submit_command(**_options(chosen))


def _report(chosen: Arguments) -> None:
    from scenetext.report.page import write_report

    write_report(**_options(chosen))


def _runs(chosen: Arguments) -> None:
    from scenetext.report.run_table import list_runs

    list_runs(**_options(chosen))


def _run(chosen: Arguments) -> None:
    from scenetext.workflow.notebook_runner import run_notebooks

    folder = run_notebooks(given_parameters(chosen.parameter), config=chosen.config)
    print(f"{folder}: the executed notebooks are in {folder / 'notebooks'}")


def _demo(chosen: Arguments) -> None:
    from scenetext.workflow.demo import demo

    demo(given_parameters(chosen.parameter))


def _notebooks(chosen: Arguments) -> None:
    from scenetext.workflow.course import copy_notebooks

    files = copy_notebooks(chosen.out)
    print(f"{chosen.out}: {len(files)} notebooks and configurations; open them with `jupyter lab {chosen.out}`")


def _course(chosen: Arguments) -> None:
    from scenetext.workflow.pages import make_course

    index, *pages = make_course(chosen.run, chosen.other, chosen.out)
    print(f"{index}: {len(pages)} pages; open it in a browser")


def _bench(chosen: Arguments) -> None:
    from scenetext.bench.command import run

    run(chosen, _load_config)
