"""Networks for text recognition: one paper or part a file, with PaddleOCR's names and state_dict keys."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": ["build_model", "load_charset", "reading_config"],
        "recognition_model": ["RecognitionModel"],
    },
)
