"""Serving under load: every answer is compared with the offline reader's.

    python -m tests.campaigns.serving --model DIR --clients 32 --minutes 10
    python -m tests.campaigns.serving --model DIR --clients 32 --minutes 2 --batch-size 1
    python -m tests.campaigns.serving --model DIR --clients 400 --minutes 1
    python -m tests.campaigns.serving --model DIR --hostile 10000

The first one prints requests a second, p50, p95 and p99 of 32 clients that ask one line after the other, the refusals,
and the server's memory over time; the second the same without batching; the third has more clients than lines may
wait. The last one sends hostile requests beside 8 good clients. Exit status 1: a wrong answer, a fault of the server, a
connection that hangs, or memory over the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import random
import sys
import time

import numpy as np

from tests.campaigns.serving_clients import Crop, Server, Tally, good_client, labelled_crops, server
from tests.campaigns.serving_hostile import KINDS, bombs, one

WARM_UP_S = 3
GOOD_CLIENTS = 8  # beside the hostile ones
HOSTILE_AT_ONCE = 48
HOSTILE_READ_S = 3  # --read-timeout beside hostile clients, so that slow ones end within the campaign
FAULTS = ("500", "hangs")


def main() -> int:
    """Runs the campaign that the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, metavar="DIR", help="an exported recogniser")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--batch-size", type=int, default=16, help="1: no batching")
    parser.add_argument("--crops", type=int, default=400)
    parser.add_argument("--hostile", type=int, default=0, metavar="N", help="hostile requests, beside 8 good clients")
    parser.add_argument("--seed", type=int, default=0, help="of the hostile requests")
    parser.add_argument("--most-mb", type=float, default=2000, help="resident memory that the server may take")
    chosen = parser.parse_args()
    crops = labelled_crops(chosen.model, chosen.crops)
    options = ["--model", chosen.model, "--batch-size", str(chosen.batch_size)]
    if chosen.hostile:
        bombs()
        options += ["--read-timeout", str(HOSTILE_READ_S)]
    with server(options) as running:
        asyncio.run(load(running.port, crops, chosen.clients, WARM_UP_S))
        before_mb = running.resident_mb()
        began, tally, outcomes = time.monotonic(), Tally(), collections.Counter()
        if chosen.hostile:
            tally, outcomes = asyncio.run(hostile_load(running.port, crops, chosen.hostile, chosen.seed))
        else:
            tally = asyncio.run(load(running.port, crops, chosen.clients, 60 * chosen.minutes))
        seconds = time.monotonic() - began
        after = Tally()
        asyncio.run(load(running.port, crops, 4, 1, after))
        return report(tally, outcomes, after, seconds, running, before_mb, chosen.most_mb)


async def load(port: int, crops: list[Crop], clients: int, seconds: float, tally: Tally | None = None) -> Tally:
    """Good clients for some seconds."""
    tally = tally or Tally()
    until = time.monotonic() + seconds
    await asyncio.gather(*(good_client(port, crops, 7 * number, until, tally) for number in range(clients)))
    return tally


async def hostile_load(
    port: int, crops: list[Crop], count: int, seed: int
) -> tuple[Tally, collections.Counter[tuple[str, str]]]:
    """Hostile requests, some at a time, beside good clients; returns kind and outcome of each, too."""
    draw = random.Random(seed)
    kinds = draw.choices(list(KINDS), list(KINDS.values()), k=count)
    outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
    tally, waiting = Tally(), iter(enumerate(kinds))

    async def hostile_client() -> None:
        for number, kind in waiting:
            good = crops[number % len(crops)].data
            outcomes[kind.__name__, await one(kind, port, random.Random(seed * 1_000_003 + number), good)] += 1
            if sum(outcomes.values()) % 1000 == 0:
                print(f"{sum(outcomes.values())} hostile requests", flush=True)

    good = asyncio.ensure_future(load(port, crops, GOOD_CLIENTS, float("inf"), tally))
    await asyncio.gather(*(hostile_client() for _ in range(HOSTILE_AT_ONCE)))
    good.cancel()
    await asyncio.gather(good, return_exceptions=True)
    return tally, outcomes


def report(
    tally: Tally,
    outcomes: collections.Counter[tuple[str, str]],
    after: Tally,
    seconds: float,
    running: Server,
    before_mb: float,
    most_mb: float,
) -> int:
    """Prints what was seen; returns the exit status."""
    for kind in sorted({kind for kind, _ in outcomes}):
        ends = {outcome: number for (of, outcome), number in sorted(outcomes.items()) if of == kind}
        print(f"{kind:20} " + ", ".join(f"{outcome} {number}" for outcome, number in ends.items()))
    milliseconds = np.percentile(np.array(tally.seconds or [0.0]) * 1000, [50, 95, 99, 100])
    print(
        f"{len(tally.seconds)} right answers in {seconds:.0f} s, {len(tally.seconds) / seconds:.1f} a second; "
        "p50 {:.0f}, p95 {:.0f}, p99 {:.0f}, longest {:.0f} ms".format(*milliseconds)
    )
    memory = running.memory_mb
    quarters = ", ".join(f"{np.mean(part):.0f}" for part in np.array_split(memory, 4) if len(part))
    print(
        f"{tally.refused} refused with 503; memory {before_mb:.0f} MB before, quarters {quarters}, "
        f"most {max(memory):.0f}, afterwards {running.resident_mb():.0f} MB"
    )
    faults = [*tally.wrong, *after.wrong]
    faults += [f"{kind}: {outcome}" for kind, outcome in outcomes if outcome in FAULTS]
    faults += [] if after.seconds else ["no answer after the load"]
    faults += [] if max(memory) <= most_mb else [f"memory {max(memory):.0f} MB, {most_mb:.0f} are allowed"]
    print(f"{len(faults)} faults")
    for fault in faults[:20]:
        print(f"  {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
