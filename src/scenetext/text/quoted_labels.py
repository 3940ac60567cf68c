"""Labels that a CSV writer has put in quotes, which PaddleOCR's format does not know.

pandas' `to_csv(sep="\\t")` writes the label `5"屏` as `"5""屏"`. PaddleOCR learns the quotes as text.
"""

from __future__ import annotations

import re

from scenetext.text.records import RecordTable

_QUOTED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')  # a writer quotes only what holds a quote, which it doubles


def quoted_labels(records: RecordTable) -> list[int]:
    """The indices of the records whose label stands in quotes with every quote inside doubled."""
    if '"' not in records.characters():
        return []
    return [index for index, text in enumerate(records.texts()) if _QUOTED.fullmatch(text)]


def without_quotes(records: RecordTable) -> RecordTable:
    """The records, those of `quoted_labels` with the label that was quoted; locations stay."""
    quoted = set(quoted_labels(records))
    if not quoted:
        return records
    texts = (text[1:-1].replace('""', '"') if index in quoted else text for index, text in enumerate(records.texts()))
    locations = [record.location for record in records]
    return RecordTable.of_pairs(zip(records.names, texts, strict=True), lambda _, number: locations[number - 1])
