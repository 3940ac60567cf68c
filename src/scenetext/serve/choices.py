"""Defaults of the server that the command shows before anything heavy loads."""

from __future__ import annotations

HOST, PORT = "127.0.0.1", 8080
MAX_BODY_MB = 10
MAX_PIXELS = 30_000_000
PICTURES = 64
LINES_WAITING = 256
PHOTOS_WAITING = 8
READ_S, ANSWER_S = 20.0, 30.0
