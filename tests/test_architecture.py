"""The arrows between the storeys run down; the rules of the house are read from the code itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "flask_smtpservers"

#: Storey of each top-level module or folder; a module may import from lower storeys and from its own folder.
STOREYS = {
    "edge": {"__init__", "access", "extension", "mail", "cli", "web", "worker"},
    "use cases": {"sending", "outbox", "state", "servers", "selfcheck"},
    "knowledge": {"diagnosis", "providers"},
    "protocol": {"smtp"},
    "ground": {"config", "errors", "findings", "signals", "i18n", "secret", "permissions", "policy"}
    | {"declared", "mailbox", "safe_text"},
}
HEIGHT = {room: -level for level, rooms in enumerate(STOREYS.values()) for room in rooms}

#: Who alone may import a library.
ONLY = {
    "smtplib": {"smtp", "errors"},
    "ssl": {"smtp", "errors"},
    "socket": {"smtp", "errors"},
    "wtforms": {"web/forms"},
    "flask": {"edge", "use cases"},
    "sqlalchemy": {"edge", "use cases"},
    "flask_sqlalchemy": {"edge", "use cases"},
    "flask_wtf": {"web"},
    "flask_mail": {"mail", "sending", "cli"},
}
#: Names of ``flask_mail`` that only the hook may touch.
HOOK_NAMES = {"Mail", "Connection", "_Mail", "_MailMixin"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def place(path: Path) -> tuple[str, ...]:
    return path.relative_to(PACKAGE).with_suffix("").parts


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Yield (absolute dotted module, names, whether only for the type checker) of every import, at any depth."""
    here = ("flask_smtpservers", *place(path))
    package = here if path.name == "__init__.py" else here[:-1]
    package = tuple(part for part in package if part != "__init__")
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, (), id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *((node.module or "").split(".") if node.module else ())))
            yield module, tuple(alias.name for alias in node.names), id(node) in typing_only


def room_of(path: Path) -> str:
    return place(path)[0]


def storey_of(room: str) -> str:
    return next(name for name, rooms in STOREYS.items() if room in rooms)


@pytest.mark.parametrize("path", modules(), ids=lambda p: "/".join(place(p)))
def test_arrows_run_down(path: Path) -> None:
    """A module imports only from lower storeys, from its own folder, or (in one storey) from a sister."""
    room = room_of(path)
    assert room in HEIGHT, f"{room} has no storey: add it to STOREYS"
    for module, names, _ in imports(path):
        if not module.startswith("flask_smtpservers"):
            continue
        rest = module.split(".")[1:] or list(names)
        for target in rest[:1] if module != "flask_smtpservers" else rest:
            if target in HEIGHT and room != "__init__":
                assert HEIGHT[target] <= HEIGHT[room], (
                    f"{'/'.join(place(path))} imports {target}: an arrow that runs up"
                )


@pytest.mark.parametrize("path", modules(), ids=lambda p: "/".join(place(p)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    """Flask stays out of the protocol and the knowledge; the socket stays in ``smtp/``; WTForms in one file."""
    room, where = room_of(path), "/".join(place(path))
    for module, names, typing_only in imports(path):
        library = module.split(".")[0]
        if library in ONLY and not typing_only:
            allowed = ONLY[library]
            assert {room, storey_of(room), where} & allowed, f"{where} imports {library}"
        if library == "flask_mail" and room != "mail" and not typing_only:
            assert not HOOK_NAMES & set(names), f"{where} imports the hook's part of Flask-Mail: {names}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: "/".join(place(p)))
def test_app_config_is_read_in_one_place(path: Path) -> None:
    """Only ``config.py`` reads ``app.config``; ``extension.py`` hands it over."""
    if room_of(path) in ("config", "extension"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        reads = isinstance(node, ast.Attribute) and node.attr == "config" and ast.unparse(node.value).endswith("app")
        assert not reads, f"{'/'.join(place(path))}:{node.lineno} reads app.config"  # type: ignore[attr-defined]


def test_the_rules_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arrow that runs up, and a socket in the wrong room, are seen."""
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    (tmp_path / "providers").mkdir()
    bad = tmp_path / "providers" / "bad.py"
    bad.write_text("from ..servers.store import ServerStore\nimport socket\n")
    with pytest.raises(AssertionError, match="runs up"):
        test_arrows_run_down(bad)
    with pytest.raises(AssertionError, match="imports socket"):
        test_libraries_stay_in_their_rooms(bad)
