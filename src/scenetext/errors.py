"""The two ways in which a command ends badly."""


class InputError(ValueError):
    """What the user gave cannot be used (exit status 2): the message names the value, the place and the way out."""


class RunError(RuntimeError):
    """The input was fine and the work failed all the same (exit status 1), for example on a full disk."""
