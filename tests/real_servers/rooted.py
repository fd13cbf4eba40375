"""A mail server that runs in a root directory of its own, made by :mod:`.unpack`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import trustme

from .arrivals import Arrival, from_maildir
from .postfix import PATH, free_ports, until
from .unpack import MAILBOX_USER, USERS, root_of

#: An IDN domain that the servers take mail for, besides ``example.test``.
IDN_DOMAIN = "bücher.example.test"


@dataclass
class Rooted:
    """What Exim and OpenSMTPD have in common: the root, the process, the log and the Maildir."""

    ca: trustme.CA
    host: str = "localhost"
    plain: int = 0
    submission: int = 0
    smtps: int = 0
    home: Path = field(default_factory=Path)

    package: ClassVar[str]
    #: The server's program with its arguments; it stays in the foreground.
    command: ClassVar[tuple[str, ...]]

    def configure(self) -> None:
        """Write the configuration."""
        raise NotImplementedError

    def start(self) -> Rooted:
        # Not pytest's tmp_path: the servers give up root's rights and must still get in.
        self.home = Path(tempfile.mkdtemp(prefix=f"smtpservers-{self.package}-"))
        shutil.copytree(
            root_of(self.package),
            self.home,
            symlinks=True,
            dirs_exist_ok=True,
            copy_function=_link,
            ignore=shutil.ignore_patterns("share"),
        )
        self.home.chmod(0o755)
        self.plain, self.submission, self.smtps = free_ports(3)
        self.folder("mail", MAILBOX_USER)
        self.configure()
        with (self.home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["chroot", str(self.home), *self.command],
                env={"PATH": PATH},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(f"{self.package} to greet", self._greets)
        except BaseException as error:
            error.add_note(self.log())
            self.stop()
            raise
        return self

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # what it left behind, and only that
        shutil.rmtree(self.home, ignore_errors=True)

    def log(self) -> str:
        """What the server logged so far."""
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def forget(self) -> None:
        """Empty the mailbox."""
        for path in self._letters():
            path.unlink()

    def wait(self, count: int = 1) -> list[Arrival]:
        """Return what is in the mailbox as soon as there are ``count`` messages."""
        try:
            until(f"{count} messages", lambda: len(self._letters()) >= count)
        except TimeoutError as error:
            error.add_note(self.log())
            raise
        return [from_maildir(path.read_bytes()) for path in self._letters()]

    def folder(self, path: str, owner: str = "root", mode: int = 0o755, *, group: str = "root") -> Path:
        """Make a folder inside the root."""
        made = self.home / path
        made.mkdir(parents=True, exist_ok=True)
        made.chmod(mode)
        os.chown(made, USERS[owner], USERS[group])
        return made

    def _letters(self) -> list[Path]:
        return sorted(self.home.glob("mail/**/new/*"))

    def _greets(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.package} ended with status {self._process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", self.plain), timeout=5) as connection:
                return connection.recv(4).startswith(b"220")
        except OSError:
            return False


def _link(source: str, target: str) -> str:
    """Hard-link programs and libraries, which are never written to; copy the rest."""
    if ".so" in source or os.access(source, os.X_OK):
        with suppress(OSError):
            os.link(source, target)
            return target
    return shutil.copy2(source, target)
