"""Networks of text recognition: one paper or part a file, PaddleOCR's names and state_dict keys."""

from scenetext.models.build import build_model, load_charset, reading_config
from scenetext.models.recogniser import Recogniser

__all__ = ["Recogniser", "build_model", "load_charset", "reading_config"]
