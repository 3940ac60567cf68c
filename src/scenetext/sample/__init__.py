"""A drawn competition for the demo and the tests: the real one's layout and sizes, nothing to download."""

from __future__ import annotations

from scenetext.sample.competition import draw_competition, draw_part
from scenetext.sample.draw import draw_line
from scenetext.sample.texts import write_line

__all__ = ["draw_competition", "draw_line", "draw_part", "write_line"]
