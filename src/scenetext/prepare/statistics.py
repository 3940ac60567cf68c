"""Figures on labels, characters and pictures for `prepare`'s report, as plain dictionaries."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scenetext.errors import InputError
from scenetext.prepare.image_check import ImageFacts
from scenetext.text.charset import BUNDLED, Charset, charset_path
from scenetext.text.normalise import CHOICES, normalise
from scenetext.text.records import Record

PERCENTILES = (1, 5, 25, 50, 75, 90, 95, 99)
_LISTED = 100  # the largest number of names or characters in a list of the report
_EXAMPLES = 3
_LINE_HEIGHT_PX = 48  # the input height of recent networks
_VERTICAL = 1.5  # height to width from which PaddleOCR turns a line by 90 degrees


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Minimum, mean, `PERCENTILES` and maximum, rounded to tenths; empty for no values."""
    if not len(values):
        return {}
    points = np.percentile(values, PERCENTILES)
    middle = {f"p{p}": round(float(point), 1) for p, point in zip(PERCENTILES, points, strict=True)}
    return {"min": min(values), "mean": round(float(np.mean(values)), 1), **middle, "max": max(values)}


def geometry(facts: Iterable[ImageFacts]) -> dict[str, Any]:
    """Widths and heights of the readable pictures, the widths they have when scaled to a height of 48 pixels, and the
    number of those that are much higher than wide.
    """
    good = [fact for fact in facts if fact.fault is None]
    scaled = [round(fact.width_px * _LINE_HEIGHT_PX / fact.height_px, 1) for fact in good]
    return {
        "images": len(good),
        "vertical": sum(fact.height_px >= _VERTICAL * fact.width_px for fact in good),
        "height_px": percentiles([fact.height_px for fact in good]),
        "width_px": percentiles([fact.width_px for fact in good]),
        "width_at_height_48_px": percentiles(scaled),
        "share_wider_than_320_at_height_48": round(sum(w > 320 for w in scaled) / len(scaled), 4) if scaled else 0.0,
    }


def lengths(texts: Sequence[str]) -> dict[str, Any]:
    """Label lengths in characters: percentiles, and how many labels have each length."""
    histogram = Counter(map(len, texts))
    return {
        **percentiles([len(text) for text in texts]),
        "histogram": {str(k): histogram[k] for k in sorted(histogram)},
    }


def characters(texts: Iterable[str]) -> dict[str, Any]:
    """How often characters occur: in all, by kind, the most frequent, and how many occur only once."""
    counts = Counter("".join(texts))
    kinds: Counter[str] = Counter()
    for character, count in counts.items():
        kinds[kind(character)] += count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "distinct": len(counts),
        "occurrences": counts.total(),
        "distinct_occurring_once": sum(count == 1 for count in counts.values()),
        "occurrences_by_kind": dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0]))),
        "most_frequent": dict(ordered[:_LISTED]),
    }


def kind(character: str) -> str:
    """A character's kind, of those that labelling habits mix up."""
    if character == "\u3000":
        return "ideographic space U+3000"
    if "\uff01" <= character <= "\uff5e":
        return "full-width ASCII"
    if not character.isascii():
        return "hanzi" if unicodedata.name(character, "").startswith("CJK UNIFIED") else "other"
    if character.isalnum():
        return "digit" if character.isdigit() else "Latin letter"
    return "space" if character == " " else "ASCII punctuation"


def normalisation_table(texts: Sequence[str]) -> list[dict[str, Any]]:
    """The effect of each normalisation on the labels: one row a choice, then all of them together.

    The row of a choice whose tables are not installed holds the reason.
    """
    singles = [{name: value} for name, values in CHOICES.items() for value in values[1:]]
    together = {name: values[-1] for name, values in CHOICES.items()} | {"case": "lower"}
    rows = []
    for choices in [{}, *singles, together]:
        name = ", ".join(f"{key}={value}" for key, value in choices.items()) or "as they are"
        try:
            changed = [normalise(text, **choices) for text in texts]
        except InputError as error:
            rows.append({"choice": name, "unavailable": str(error)})
            continue
        pairs = [(old, new) for old, new in zip(texts, changed, strict=True) if old != new]
        rows.append(
            {
                "choice": name,
                "labels_changed": len(pairs),
                "classes": len(set("".join(changed))),
                "distinct_labels": len(set(changed)),
                "examples": [list(pair) for pair in pairs[:_EXAMPLES]],
            }
        )
    return rows


def coverage(charset: Charset, texts: Sequence[str]) -> dict[str, Any]:
    """How many characters and lines of `texts` a charset covers; a space counts as known, since networks can add it."""
    found = asdict(charset.coverage([text.replace(" ", "") for text in texts]))
    found["characters_missing_distinct"] = len(found["missing"])
    found["missing"] = dict(list(found["missing"].items())[:_LISTED])
    return found


def bundled_coverage(texts: Sequence[str]) -> dict[str, Any]:
    """How many characters and lines of `texts` the dictionaries of the official weights cover."""
    by_file = {file: name for name, file in reversed(BUNDLED.items())}
    return {name: coverage(Charset.from_file(charset_path(name)), texts) for name in by_file.values()}


def duplicates(facts: dict[str, ImageFacts], records: Sequence[Record]) -> dict[str, Any]:
    """Pictures of the same bytes, and those among them whose labels differ."""
    by_hash: dict[str, list[str]] = {}
    for fact in facts.values():
        if fact.fault is None:
            by_hash.setdefault(fact.sha256, []).append(fact.name)
    groups = [names for names in by_hash.values() if len(names) > 1]
    text_of = {record.name: record.text for record in records}
    differing = [
        {name: text_of[name] for name in names if name in text_of}
        for names in groups
        if len({text_of[name] for name in names if name in text_of}) > 1
    ]
    return {
        "groups_of_equal_images": len(groups),
        "images_in_them": sum(map(len, groups)),
        "groups": groups[:_LISTED],
        "equal_images_with_different_labels": differing[:_LISTED],
    }


def listed(names: Sequence[str]) -> dict[str, Any]:
    """A list for the report: its length and its first entries."""
    return {"count": len(names), "first": list(names[:_LISTED])}
