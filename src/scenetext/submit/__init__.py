"""An exported folder and the test pictures to a validated submission."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "command": ["enter_leaderboard_score"],
        "submission": ["submit"],
    },
)
