"""The operator's database of mail settings: a directory of autoconfig pages, or a service that answers with them.

Nothing is asked unless the operator set one up: a service learns every domain that is looked up.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import ConfigurationError
from .address import MailAddress
from .autoconfig import MAX_BYTES, read_autoconfig

_NOBODY = MailAddress("nobody", "example.invalid")


class IspdbDirectory:
    """A directory with one page a file, called ``DOMAIN.xml`` or ``DOMAIN``; each lists further domains of its own.

    Read when it is first needed, once; restart the app after a change. May be shared between threads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._index: Mapping[str, Path] | None = None

    def page(self, domain: str) -> bytes | None:
        """Return the page for a domain, or None.

        :raises OSError: the directory cannot be read.
        """
        with self._lock:
            if self._index is None:
                self._index = _index(self.path)
        path = self._index.get(domain)
        return path.read_bytes() if path is not None else None


class IspdbService:
    """A service that answers ``PREFIX/DOMAIN`` with a page.

    :param prefix: ``https://…``, with or without a slash at its end.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix.rstrip("/")

    def url(self, domain: str) -> str:
        """Return where the page for a domain is."""
        return f"{self.prefix}/{domain}"


Ispdb = IspdbDirectory | IspdbService


def ispdb_at(place: str | Path) -> Ispdb:
    """Open the database that the operator named.

    :param place: a directory, or a URL prefix that begins with ``https://``.
    :raises ConfigurationError: it is neither.
    """
    text = str(place)
    if text.lower().startswith("https://"):
        return IspdbService(text)
    if not Path(text).is_dir():
        raise ConfigurationError(f"the ISPDB must be a directory or begin with https://, and {text!r} is neither")
    return IspdbDirectory(Path(text))


def _index(directory: Path) -> dict[str, Path]:
    """Map every domain to its file; a file's own name counts more than what other files list."""
    paths = [path for path in sorted(directory.iterdir()) if path.is_file() and path.stat().st_size <= MAX_BYTES]
    index: dict[str, Path] = {}
    for path in paths:
        page = read_autoconfig(path.read_bytes(), _NOBODY)
        if page is not None:
            for domain in page.domains:
                index.setdefault(domain, path)
            index[path.name.lower().removesuffix(".xml")] = path
    return index


def shorter_names(host: str) -> Iterator[str]:
    """Yield the names to try for an MX host: without its first label, then shorter, down to two labels."""
    labels = host.split(".")
    for start in range(1, len(labels) - 1):
        yield ".".join(labels[start:])
