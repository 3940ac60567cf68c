"""The page to drop a photo on: one file that loads nothing, and may not."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

PAGE = (Path(__file__).parent / "templates" / "page.html").read_text(encoding="utf-8")


def _hashes(tag: str) -> str:
    """The SHA-256 of each element of that name, as a Content-Security-Policy lists them."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in contents]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


PAGE_POLICY = (
    f"default-src 'none'; connect-src 'self'; img-src blob: data:; script-src {_hashes('script')}; "
    f"style-src {_hashes('style')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
