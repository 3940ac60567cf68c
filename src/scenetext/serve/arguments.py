"""Arguments of `serve`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse

from scenetext.predict.arguments import engine_arguments, reading_arguments
from scenetext.serve.choices import (
    ANSWER_S,
    HOST,
    LINES_WAITING,
    MAX_BODY_MB,
    MAX_PIXELS,
    PHOTOS_WAITING,
    PICTURES,
    PORT,
    READ_S,
)


def serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what `server.serve` takes."""
    parser.add_argument("--model", required=True, metavar="DIR", help="an exported recogniser")
    detector = "read whole photos, too: an exported detector, or wheel:PP-OCRv6_det_small, wheel:ch_PP-OCRv4_det"
    parser.add_argument("--detector", metavar="DIR|wheel:NAME", help=detector)
    host = f"address to listen at; 0.0.0.0 answers other machines (default {HOST})"
    parser.add_argument("--host", default=HOST, help=host)
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes any free one (default {PORT})")
    engine_arguments(parser)
    reading_arguments(parser)
    least = "of photos: reject texts that are less probable (default 0.5)"
    parser.add_argument("--min-confidence", type=float, default=0.5, metavar="P", help=least)
    side = "of photos: search at no larger size, which bounds memory and time (default 4000)"
    parser.add_argument("--max-side", type=int, default=4000, metavar="PX", help=side)
    for name, kind, default, metavar, meaning in (
        ("--max-body-mb", float, MAX_BODY_MB, "MB", "of a request's body"),
        ("--max-pixels", int, MAX_PIXELS, "N", "of a picture"),
        ("--max-pictures", int, PICTURES, "N", "of a request"),
        ("--max-waiting", int, LINES_WAITING, "N", "lines that wait; more are refused with 503"),
        ("--max-photos", int, PHOTOS_WAITING, "N", "photos that wait; more are refused with 503"),
        ("--read-timeout", float, READ_S, "S", "seconds for a client to send its request"),
        ("--timeout", float, ANSWER_S, "S", "seconds for the answer"),
    ):
        parser.add_argument(name, type=kind, default=default, metavar=metavar, help=f"{meaning} (default {default:g})")
