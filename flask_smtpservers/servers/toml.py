"""Writing TOML, of which Python only has the reader."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def written(values: Mapping[str, Any]) -> str:
    """Write plain values as TOML: texts, numbers, switches, lists of these, tables, and lists of tables."""
    return "\n".join(_table(values, "")).strip("\n") + "\n"


def _table(values: Mapping[str, Any], path: str) -> Iterator[str]:
    tables: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            tables.append((f"{path}{_key(name)}", value))
        else:
            yield f"{_key(name)} = {_value(value)}"
    for name, value in tables:
        for one in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _table(one, f"{name}.")


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _lines(value) if "\n" in value else _text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _text(text: str) -> str:
    return f'"{_escaped(text)}"'


def _lines(text: str) -> str:
    return '"""\n' + "\n".join(map(_escaped, text.split("\n"))) + '"""'


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
