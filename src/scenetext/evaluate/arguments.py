"""The arguments of the verbs that score; nothing heavy is imported for them."""

from __future__ import annotations

import argparse

from scenetext.evaluate.choices import PRECISIONS, PROTOCOL_NAMES, UNMATCHED
from scenetext.predict.arguments import engine_arguments, model_or_weights
from scenetext.text.normalise import DEFAULT_SCORE_RULES, SCORE_RULES


def evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `evaluate` takes beside the configuration and the arguments of reading."""
    model_or_weights(parser, "an exported folder; of detectors also wheel:NAME, see `read`")
    parser.add_argument(
        "--labels", required=True, metavar="FILE", help="name<TAB>text, CSV or LMDBs; name<TAB>JSON of boxes"
    )
    parser.add_argument("--images", required=True, metavar="DIR", help="folder, zip or LMDB of the pictures")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for scores.json and what was read or found")
    thresholds = "of a detector: also score it at other thresholds, and name the best ones"
    parser.add_argument("--thresholds", action="store_true", help=thresholds)


def score_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `scoring.score_command`."""
    predictions = (
        "name<TAB>text[<TAB>confidence], a predicts.txt or predictions.csv, or the log of PaddleOCR's predict_rec"
    )
    parser.add_argument("--predictions", required=True, metavar="FILE", help=predictions)
    parser.add_argument("--labels", required=True, metavar="FILE", help="lines name<TAB>text, a CSV, or LMDBs")
    parser.add_argument("--out", metavar="DIR", help="folder for scores.json and predictions.csv (default: none)")
    rules = (
        f"what the normalised score forgives (default: {' '.join(DEFAULT_SCORE_RULES)}; nothing after it: nothing); "
        "width is Unicode's NFKC, in which ① is 1, too"
    )
    parser.add_argument("--rules", nargs="*", default=DEFAULT_SCORE_RULES, choices=SCORE_RULES, help=rules)
    protocols = f"score by the rules of these benchmarks, too: {', '.join(PROTOCOL_NAMES)}"
    parser.add_argument(
        "--protocol", dest="protocols", nargs="+", default=(), metavar="NAME", choices=PROTOCOL_NAMES, help=protocols
    )
    charset = "the network's dictionary: labels that it cannot write are counted apart"
    parser.add_argument("--charset", metavar="NAME|FILE", help=charset)
    training = "labels of the training set, by which rare characters are told"
    parser.add_argument("--training-labels", metavar="FILE", help=training)
    precision = f"find the confidence from which so many lines are right (default: {' '.join(map(str, PRECISIONS))})"
    parser.add_argument(
        "--precision", dest="precisions", nargs="+", type=_ratio, default=PRECISIONS, metavar="P", help=precision
    )
    longest = "the longest label that PaddleOCR's figures count, its Global.max_text_length (default 25)"
    parser.add_argument("--max-text-length", type=_count, default=25, metavar="N", help=longest)
    _add_unmatched(parser)


def compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `report.comparison_page.compare_command`."""
    sources = "runs, exported folders, evaluations, submissions, files of predictions; each is compared with the first"
    parser.add_argument("sources", nargs="+", metavar="A B", help=sources)
    labels = "labels of the lines, a file or LMDBs (default: those that an evaluation was scored against)"
    parser.add_argument("--labels", metavar="FILE|DIR", help=labels)
    images = "their pictures, for the page; with --labels runs and exported folders read them anew"
    parser.add_argument("--images", metavar="DIR", help=images)
    protocol = f"how a text is compared with its label (default: normalised): {', '.join(PROTOCOL_NAMES)}"
    parser.add_argument(
        "--protocol", dest="rules", default="normalised", metavar="NAME", choices=PROTOCOL_NAMES, help=protocol
    )
    out = "folder for comparison.json, won.csv, lost.csv, and a page with the pictures (default: none)"
    parser.add_argument("--out", metavar="DIR", help=out)
    _add_unmatched(parser)


def benchmark_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `benchmarking.benchmark_command`."""
    parser.add_argument("--model", required=True, metavar="DIR", help="an exported folder, or the folder of a run")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of LMDBs, such as test/IIIT5k, test/SVT")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for benchmark.csv and predictions.txt")
    protocol = f"of all sets: {', '.join(PROTOCOL_NAMES)} (default: of each set the one that its papers use)"
    parser.add_argument("--protocol", metavar="NAME", choices=PROTOCOL_NAMES, help=protocol)
    parser.add_argument("--sets", nargs="+", default=(), metavar="SET", help="read only these sets (default: all)")
    parser.add_argument("--skip-broken", action="store_true", help="leave out sets that cannot be opened")
    engine_arguments(parser)


def tune_decoding_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `decoding_tuning.tune_decoding_command`."""
    parser.add_argument("--model", required=True, metavar="DIR", help="an exported folder")
    parser.add_argument("--labels", required=True, metavar="FILE", help="validation lines: name<TAB>text, or a CSV")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder, zip or LMDB of their pictures")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write, for predict --decoding")
    texts = "texts to train n-gram language models on, one for each file: one text a line, or a label file"
    parser.add_argument("--texts", nargs="+", default=(), metavar="FILE", help=texts)
    trained = "trained n-gram language models, beside those of --texts; several are interpolated"
    parser.add_argument("--language-model", dest="language_models", nargs="+", default=(), metavar="FILE", help=trained)
    parser.add_argument("--beam-width", type=int, default=10, metavar="N", help="CTC prefixes kept (default 10)")
    parser.add_argument("--order", type=int, default=5, metavar="N", help="longest n-gram that is trained (default 5)")


def _add_unmatched(parser: argparse.ArgumentParser) -> None:
    unmatched = "lines that one side lacks: an error (default), left out, or labels without a prediction read as empty"
    parser.add_argument("--unmatched", default=UNMATCHED[0], choices=UNMATCHED, help=unmatched)


def _ratio(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a ratio such as 0.95")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of characters")
    return int(text)
