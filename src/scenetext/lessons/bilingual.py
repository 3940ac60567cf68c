"""Sentences in English with the Chinese beneath."""

from __future__ import annotations


def both(english: str, chinese: str) -> str:
    """A sentence in both languages, on two lines."""
    return f"{english}\n{chinese}"


def paragraphs(*sentences: str) -> str:
    """Several sentences of `both`: first all of the English, then all of the Chinese."""
    english, chinese = zip(*(sentence.split("\n") for sentence in sentences), strict=True)
    return both(" ".join(english), "".join(chinese))


def ordinary(character: str) -> str:
    """A character as it can be seen in a sentence: spaces by their names."""
    return {" ": "␣", "\u3000": "U+3000"}.get(character, character)
