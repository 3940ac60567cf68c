"""The arguments of the verbs `report` and `runs`; nothing heavy is imported for them."""

from __future__ import annotations

import argparse

from scenetext.report.choices import WORST


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `page.write_report`."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its name below runs/")
    parser.add_argument("--out", metavar="FILE.html", help="file to write (default: report.html in the run's folder)")
    images = "pictures of the evaluated lines (default: where the run's configuration says)"
    parser.add_argument("--images", metavar="DIR", help=images)
    worst = f"wrong lines to show with their pictures (default {WORST})"
    parser.add_argument("--worst", type=int, default=WORST, metavar="N", help=worst)


def runs_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `run_table.list_runs`."""
    parser.add_argument("folder", nargs="?", default="runs", metavar="DIR", help="folder of the runs (default: runs)")
    parser.add_argument("--out", metavar="FILE.csv", help="write the table as CSV, too")
