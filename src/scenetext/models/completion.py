"""The options of a network's parts with their constructors' defaults, so that a run's configuration is complete.

Without them a run's configuration would build another network once a default changes.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from scenetext.config import Config
from scenetext.config.sections.architecture import DistillationModel, Network
from scenetext.models.build import MEANT, PARTS, TRANSLATED
from scenetext.models.heads.ctc_head import CTCHead
from scenetext.models.heads.multi_head import DEFAULT_NECK
from scenetext.models.heads.nrtr_head import NRTRHead
from scenetext.models.necks.sequence_encoder import ENCODERS

Options = dict[str, Any]

GIVEN = frozenset({"in_channels", "out_channels"})  # arguments that the builder knows: channels and classes
FROM_TRAINING = frozenset({"input_size"})  # of a Transform without it: the size that Train resizes to


def complete_architecture(config: Config) -> Config:
    """The configuration with every default of the network's parts in it; it builds the same network.

    Args:
        config: a configuration whose network has been built, so that its options are known to be right.
    """
    architecture = config.Architecture
    sized = config.resize("Train") is not None
    if isinstance(architecture, DistillationModel):
        networks = {name: _complete_network(own, sized) for name, own in architecture.Models.items()}
        architecture = architecture.model_copy(update={"Models": networks})
    else:
        architecture = _complete_network(architecture, sized)
    return config.model_copy(update={"Architecture": architecture})


def _complete_network(network: Network, sized: bool) -> Network:
    given = {"Transform": FROM_TRAINING if sized else frozenset()}
    parts = {
        part: _complete_part(table, getattr(network, part), given.get(part, frozenset()))
        for part, table in PARTS[network.model_type].items()
    }
    return network.model_copy(update=parts)


def _complete_part(
    table: Mapping[str, type], options: Mapping[str, Any] | None, given: frozenset[str] = frozenset()
) -> Options | None:
    if not options:
        return None
    name = MEANT.get(options["name"], options["name"])
    own = {key: value for key, value in options.items() if key != "name"}
    own = TRANSLATED[table[name]](own, name) if table[name] in TRANSLATED else own
    completed = {"name": name, **_with_defaults(table[name], own, given)}
    if "encoder_type" in completed:  # the options of a SequenceEncoder are those of its encoder
        completed = _with_encoder_defaults(completed, completed["encoder_type"])
    if "head_list" in completed:
        completed["head_list"] = [_complete_branches(branches) for branches in completed["head_list"]]
    return completed


def _complete_branches(branches: Mapping[str, Any]) -> Options:
    """An entry of MultiHead's head_list: `{"CTCHead": {"Neck": ..., "Head": ...}}` or `{"NRTRHead": ...}`."""
    completed: Options = {}
    for name, options in branches.items():
        if name == "NRTRHead":
            completed[name] = _with_defaults(NRTRHead, options or {})
        else:
            neck = (options or {}).get("Neck") or DEFAULT_NECK
            head = (options or {}).get("Head") or {}
            completed[name] = {
                "Neck": _with_encoder_defaults(neck, neck["name"]),
                "Head": _with_defaults(CTCHead, head),
            }
    return completed


def _with_encoder_defaults(options: Mapping[str, Any], encoder: str) -> Options:
    return dict(options) if ENCODERS[encoder] is None else _with_defaults(ENCODERS[encoder], options)


def _with_defaults(cls: type, options: Mapping[str, Any], given: frozenset[str] = frozenset()) -> Options:
    parameters = inspect.signature(cls).parameters.values()
    defaults = {p.name: _plain(p.default) for p in parameters if p.default is not p.empty}
    return {**options, **{key: value for key, value in defaults.items() if key not in {*options, *GIVEN, *given}}}


def _plain(value: Any) -> Any:
    """Tuples as lists, which YAML has."""
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
