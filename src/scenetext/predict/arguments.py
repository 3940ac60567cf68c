"""Arguments of the verbs that read lines; nothing heavy is imported for them."""

from __future__ import annotations

import argparse
import sys

from scenetext.predict.choices import AUTO, ENGINE_NAMES, FORM_NAMES, LENGTH_BONUS, LM_WEIGHT, TURNED_MARGIN

BEAM_OPTIONS = ("beam_width", "language_models", "lm_weight", "length_bonus")


def engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what computes, and how many lines at a time."""
    engines = (AUTO, *ENGINE_NAMES)
    parser.add_argument("--engine", default=AUTO, choices=engines, help="what computes (auto: the fastest)")
    batch_argument(parser)


def model_or_weights(parser: argparse.ArgumentParser, model_help: str = "an exported folder") -> None:
    """Adds the network: an exported folder, or weights, whose configuration other arguments name."""
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--weights", metavar="PREFIX", help="trained weights, with -c")
    model.add_argument("--model", metavar="DIR", help=model_help)


def tell_unused_config(chosen: argparse.Namespace) -> None:
    """Says on stderr that -c and -o, which belong to --weights, change nothing beside --model."""
    if chosen.model and (chosen.config or chosen.override):
        print("note: -c and -o are not used: --model is a folder with settings of its own", file=sys.stderr)


def batch_argument(parser: argparse.ArgumentParser) -> None:
    """Adds how many lines are read at a time."""
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="lines read at a time")


def beam_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `decoding_settings.beam_decoding`."""
    beam_width = "CTC prefixes that the beam search keeps (default: no beam search)"
    parser.add_argument("--beam-width", type=int, default=0, metavar="N", help=beam_width)
    language_model = "n-gram language models for the beam search; several are interpolated"
    parser.add_argument(
        "--language-model", dest="language_models", nargs="+", default=(), metavar="FILE", help=language_model
    )
    weight = f"weight of the language model's log probability (default {LM_WEIGHT})"
    parser.add_argument("--lm-weight", type=float, default=LM_WEIGHT, metavar="W", help=weight)
    bonus = f"added for each character where there is a language model (default {LENGTH_BONUS})"
    parser.add_argument("--length-bonus", type=float, default=LENGTH_BONUS, metavar="B", help=bonus)


def line_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds which pictures are read, and how their lines are written."""
    parser.add_argument("--list", metavar="FILE", help="read only the pictures of this list, one name a line")
    form = "write and log what PaddleOCR's tool of this name does (default: name<TAB>text<TAB>confidence)"
    parser.add_argument("--form", choices=FORM_NAMES, help=form)
    least = "leave out texts of a smaller confidence; their lines stay (default 0)"
    parser.add_argument("--min-confidence", type=float, default=0.0, metavar="P", help=least)


def reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the folder of `decoding_settings.load_decoding`, and the margin of `turned`."""
    parser.add_argument("--decoding", metavar="DIR", help="decode as this folder says, which tune-decoding wrote")
    turned = (
        "read doubtful lines turned by 180 degrees, tall ones by 90, too; keep a turned reading whose confidence is "
        f"higher by more than this (default {TURNED_MARGIN})"
    )
    parser.add_argument("--turned", nargs="?", type=float, const=TURNED_MARGIN, metavar="MARGIN", help=turned)


def read_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `read` takes beside the engine."""
    parser.add_argument("photos", metavar="PHOTO|FOLDER|ZIP", help="what to read")
    detector = "an exported detector, or wheel:PP-OCRv6_det_small, wheel:ch_PP-OCRv4_det"
    parser.add_argument("--detector", required=True, metavar="DIR|wheel:NAME", help=detector)
    parser.add_argument("--model", required=True, metavar="DIR", help="an exported recogniser")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for photos.jsonl and pictures/")
    least = "reject texts that are less probable (default 0.5)"
    parser.add_argument("--min-confidence", type=float, default=0.5, metavar="P", help=least)
    side = "search at no larger size (default 4000)"
    parser.add_argument("--max-side", type=int, default=4000, metavar="PX", help=side)
    parser.add_argument("--no-pictures", action="store_true", help="do not draw the texts beside the photos")
    parser.add_argument("--labels", metavar="FILE", help="PaddleOCR's labels of text detection: score what was read")
