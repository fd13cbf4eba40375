"""Style and script: their address changes with their content, so browsers may keep them and never ask again."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

DIRECTORY = Path(__file__).parent.parent / "static"


@cache
def version() -> str:
    """Return a short digest of all static files, read once."""
    digest = sha256()
    for path in sorted(DIRECTORY.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
