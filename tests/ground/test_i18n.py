"""Sentences are translated where they are shown, without Flask."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_smtpservers import i18n


def write_catalogue(directory: Path, entries: dict[str, str], language: str = "de") -> None:
    """Write a GNU .mo file (the format is in the gettext manual, section 10.3)."""
    import struct

    entries = {"": "Content-Type: text/plain; charset=utf-8\nPlural-Forms: nplurals=2; plural=n != 1;\n", **entries}
    ids = sorted(entries)
    offset = 28 + 16 * len(ids)
    tables: list[bytes] = []
    data = b""
    for texts in ([i.encode() for i in ids], [entries[i].encode() for i in ids]):
        table = b""
        for text in texts:
            table += struct.pack("<II", len(text), offset + len(data))
            data += text + b"\0"
        tables.append(table)
    head = struct.pack("<7I", 0x950412DE, 0, len(ids), 28, 28 + 8 * len(ids), 0, 0)
    path = directory / language / "LC_MESSAGES"
    path.mkdir(parents=True)
    (path / "smtpservers.mo").write_bytes(head + tables[0] + tables[1] + data)


def test_without_a_catalogue_the_sentence_is_english() -> None:
    assert i18n.gettext("Hello %(name)s, 100%%", name="Ann") == "Hello Ann, 100%"
    assert i18n.gettext("100%") == "100%"


@pytest.mark.parametrize(("number", "text"), [(1, "1 server"), (2, "2 servers")])
def test_plurals(number: int, text: str) -> None:
    assert i18n.ngettext("%(number)s server", "%(number)s servers", number) == text


def test_a_catalogue_speaks_inside_the_block_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_catalogue(
        tmp_path,
        {
            "": "Language: de\n",
            "Save": "Speichern",
            "%(number)s server\0%(number)s servers": "%(number)s Server\0%(number)s Server (n)",
        },
    )
    monkeypatch.setattr(i18n, "DIRECTORY", tmp_path)
    with i18n.speaking("fr", "de"):
        assert i18n.gettext("Save") == "Speichern"
        assert i18n.language() == "de"
        assert i18n.ngettext("%(number)s server", "%(number)s servers", 3) == "3 Server (n)"
    assert i18n.gettext("Save") == "Save"
    assert i18n.language() == ""
