"""The pages that a reader sees, and the code blocks in them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGES.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w+-]+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(?P<key>[^`]+)`", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced code block.

    :param line: the number of its first line in the page, from 1.
    """

    page: Path
    language: str
    line: int
    text: str


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of a page in these languages, in order."""
    text = page.read_text()
    return [
        Block(page, found["language"], text.count("\n", 0, found.start("text")) + 1, textwrap.dedent(found["text"]))
        for found in FENCE.finditer(text)
        if found["language"] in languages
    ]


def commands(page: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, command) of everything that follows a ``$`` prompt."""
    for block in blocks(page, "console"):
        for number, line in enumerate(block.text.splitlines(), block.line):
            if line.startswith("$ "):
                yield number, line[2:]


def keys(page: str, heading: str = "") -> set[str]:
    """Return the first column of the tables of a page (under a heading), where it is code."""
    text = (ROOT / page).read_text()
    if heading:
        text = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return {found["key"] for found in ROW.finditer(text)}
