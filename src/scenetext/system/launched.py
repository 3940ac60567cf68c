"""Which one of several processes this is, by the environment variables of `python -m paddle.distributed.launch`.

Any other launcher, or a shell, may set them: PADDLE_TRAINER_ID is the number of the process, from 0,
PADDLE_TRAINERS_NUM how many there are on all hosts, and PADDLE_LOCAL_SIZE how many of them share this host's cores.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from scenetext.errors import InputError
from scenetext.system.process import usable_cores


class Process(NamedTuple):
    """One of several processes that work together.

    Attributes:
        rank: its number, from 0.
        count: how many there are.
        on_host: how many of them run on its host.
    """

    rank: int = 0
    count: int = 1
    on_host: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that shows and writes everything."""
        return self.rank == 0

    @property
    def threads(self) -> int:
        """Its part of the host's cores, at least 1."""
        return max(1, usable_cores() // self.on_host)


ALONE = Process()


def this_process(environment: Mapping[str, str] = os.environ) -> Process:
    """This process by the environment variables; without them it is alone.

    Raises:
        InputError: a variable is no number, or the process's number is not below their count.
    """
    numbers = {}
    for name, default, least in (("TRAINERS_NUM", 1, 1), ("TRAINER_ID", 0, 0), ("LOCAL_SIZE", 1, 1)):
        text = environment.get(f"PADDLE_{name}", "").strip() or str(default)
        if not text.isdecimal() or int(text) < least:
            raise InputError(f"The environment variable PADDLE_{name} is {text!r}: give a number from {least} on.")
        numbers[name] = int(text)
    if numbers["TRAINER_ID"] >= numbers["TRAINERS_NUM"]:
        raise InputError(
            f"The environment variable PADDLE_TRAINER_ID is {numbers['TRAINER_ID']}, but PADDLE_TRAINERS_NUM is "
            f"{numbers['TRAINERS_NUM']}: the processes have the numbers from 0 to {numbers['TRAINERS_NUM'] - 1}."
        )
    return Process(numbers["TRAINER_ID"], numbers["TRAINERS_NUM"], numbers["LOCAL_SIZE"])
