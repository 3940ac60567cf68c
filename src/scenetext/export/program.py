"""Making a program's file small: attributes for debugging and training are removed, repeated constants are merged.

The program counts in the 10 MB like the weights do. Of a `.json` program, names of the Python layers and attributes for
training take a third; constants that are repeated for each use (the axes of a reshape) and dropout take a sixth.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scenetext.errors import RunError

PARAMETER = "p"
CONSTANTS = ("1.full", "1.full_int_array")  # operators without inputs
DEBUG_ATTRIBUTE = "struct_name"
TRAINING_ATTRIBUTE = "stop_gradient"


def shrink_json(path: Path) -> None:
    """Rewrites `inference.json` in the new representation, in place; it computes the same.

    Raises:
        RunError: it is not one block of operators.
    """
    program = json.loads(path.read_text(encoding="utf-8"))
    regions = program["program"]["regions"]
    if len(regions) != 1 or len(regions[0]["blocks"]) != 1:
        raise RunError(f"{path} is a program of several blocks; only one was expected.")
    block = regions[0]["blocks"][0]
    block["ops"] = _without_unused(_without_repeats(block["ops"]))
    path.write_text(json.dumps(program, separators=(",", ":"), ensure_ascii=False), encoding="utf-8")


def _without_repeats(operators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Removes debugging attributes, dropout, and constants that an earlier operator already defines."""
    kept, same, first = [], {}, {}
    for operator in operators:
        if operator["#"] == PARAMETER:
            kept.append(operator)
            continue
        operator["A"] = [entry for entry in operator["A"] if entry["N"] != DEBUG_ATTRIBUTE]
        operator["OA"] = [entry for entry in operator["OA"] if entry["N"] != TRAINING_ATTRIBUTE]
        for value in operator["I"]:
            value["%"] = same.get(value["%"], value["%"])
        if operator["#"] in CONSTANTS:
            result = operator["O"][0]
            content = json.dumps([operator["#"], operator["A"], result["TT"]])
            if content in first:
                same[result["%"]] = first[content]
                continue
            first[content] = result["%"]
        if _is_idle_dropout(operator):
            same[operator["O"][0]["%"]] = operator["I"][0]["%"]
            continue
        kept.append(operator)
    return kept


def _is_idle_dropout(operator: dict[str, Any]) -> bool:
    attributes = {entry["N"]: entry["AT"].get("D") for entry in operator["A"]}
    return operator["#"] == "1.dropout" and attributes["is_test"] and attributes["mode"] == "upscale_in_train"


def _without_unused(operators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    used = {value["%"] for operator in operators if operator["#"] != PARAMETER for value in operator["I"]}
    return [o for o in operators if o["#"] not in CONSTANTS or o["O"][0]["%"] in used]


def shrink_pdmodel(path: Path) -> None:
    """Rewrites a program in the old representation, in place; it computes the same.

    Paddle writes the Python stack with this machine's paths into every operator: a third of the file, and its bytes
    would differ from one machine to the next.
    """
    from paddle.base import core

    program = core.ProgramDesc(path.read_bytes())
    for block in (program.block(i) for i in range(program.num_blocks())):
        for operator in (block.op(i) for i in range(block.op_size())):
            for name in ("op_callstack", "op_namescope", "struct_name", "with_quant_attr"):
                if operator.has_attr(name):
                    operator.remove_attr(name)
    path.write_bytes(program.serialize_to_string())
