"""Gets the servers that Debian lets nobody install beside Postfix, and the one from npm, into a cache folder.

``python3 -m tests.real_servers.unpack`` fetches what is missing; it takes a moment, needs root, and only the standard
library. Exim and OpenSMTPD are not installed but unpacked, each into a folder that is a whole root directory: with the
libraries that it loads and users of its own. A server that runs in it (``chroot``) finds every path that is compiled
into it there, so neither it nor a second one beside it touches anything of the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

#: What fetches the missing servers, for the sentences that say why tests skip.
COMMAND = "python3 -m tests.real_servers.unpack"
SMTP_SERVER = "smtp-server@3"
MAILBOX_USER = "box"
#: Users inside the roots only; their numbers are nobody's on a usual machine.
USERS = {"root": 0, "Debian-exim": 64981, "opensmtpd": 64982, "opensmtpq": 64983, MAILBOX_USER: 64984}


def cache() -> Path:
    """The folder that keeps what was fetched from one run of the tests to the next."""
    return Path(tempfile.gettempdir()) / f"smtpservers-real-servers-{os.geteuid()}"


def root_of(package: str) -> Path:
    """The root directory with Debian's ``package`` in it; it exists if the package was unpacked."""
    return cache() / package


def smtp_server_folder() -> Path:
    """The folder in which Node.js finds ``smtp-server``; it exists if that was fetched."""
    return cache() / "node"


def why_no(package: str) -> str:
    """Why a server unpacked from ``package`` cannot run here; empty if it can."""
    if os.geteuid() != 0:
        return f"{package} runs only as root"
    return "" if root_of(package).is_dir() else f"no {package} ({COMMAND})"


def why_no_smtp_server() -> str:
    """Why nodemailer's smtp-server cannot run here; empty if it can."""
    if shutil.which("node") is None:
        return "no Node.js (apt install nodejs npm)"
    return "" if smtp_server_folder().is_dir() else f"no smtp-server of npm ({COMMAND})"


# -- fetching
def main() -> None:
    """Fetch what is missing."""
    wanted: dict[Path, Callable[[Path], None]] = {
        root_of("exim4-daemon-light"): lambda folder: _unpack("exim4-daemon-light", folder),
        root_of("opensmtpd"): lambda folder: _unpack("opensmtpd", folder),
        smtp_server_folder(): _install_smtp_server,
    }
    home = cache()
    home.mkdir(mode=0o755, exist_ok=True)
    if home.stat().st_uid != os.geteuid():
        sys.exit(f"{home} belongs to somebody else; remove it")
    for folder, make in wanted.items():
        if not folder.is_dir():
            _whole_or_not_at_all(folder, make)
            sys.stdout.write(f"{folder}\n")


def _whole_or_not_at_all(folder: Path, make: Callable[[Path], None]) -> None:
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    made.chmod(0o755)
    try:
        make(made)
        made.rename(folder)
    except FileExistsError:
        pass  # another process was quicker
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _install_smtp_server(folder: Path) -> None:
    _run("npm", "install", "--loglevel=error", "--no-fund", "--no-audit", "--prefix", str(folder), SMTP_SERVER)


def _unpack(package: str, root: Path) -> None:
    """Make ``root`` a root directory in which the programs of ``package`` run."""
    with tempfile.TemporaryDirectory() as archives:
        for archive in _download(package, Path(archives)):
            _run("dpkg", "-x", str(archive), str(root))
    _users(root)
    shell = root / "bin" / "sh"
    shell.parent.mkdir(exist_ok=True)
    shutil.copy("/bin/sh", shell)
    for library in _libraries(root):
        inside = root / library.relative_to("/")
        if not inside.exists():
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, inside)
    for folder in ("tmp", "var/run", "var/tmp", "proc"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "dev").mkdir()
    # A file will do for daemons, and unlike a device it may be made in any container.
    (root / "dev" / "null").touch()
    (root / "dev" / "null").chmod(0o666)


def _download(package: str, folder: Path) -> list[Path]:
    """Download a package and those that it needs and the machine lacks; nothing is installed or removed."""
    (folder / "partial").mkdir()
    # apt would remove Postfix for it, were it not for --download-only
    command = ["apt-get", "install", "--yes", "-qq", "--download-only", "--no-install-recommends", "--reinstall"]
    try:
        _run(*command, "-o", f"Dir::Cache::archives={folder}", package)
    except RuntimeError:
        _run("apt-get", "update", "-qq")
        _run(*command, "-o", f"Dir::Cache::archives={folder}", package)
    return sorted(folder.glob("*.deb"))


def _users(root: Path) -> None:
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text("".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in USERS.items()))
    (etc / "group").write_text("".join(f"{name}:x:{uid}:\n" for name, uid in USERS.items()))
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")  # nothing answers there: no look-up leaves
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")


def _libraries(root: Path) -> Iterator[Path]:
    """Find the libraries that the programs in ``root`` load, its own first."""
    own = ":".join(sorted({str(path.parent) for path in root.rglob("*.so*")}))
    programs = [path for path in root.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]
    for program in programs:
        environment = {**os.environ, "LD_LIBRARY_PATH": own}
        done = subprocess.run(["ldd", str(program)], env=environment, capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            words = line.replace("=>", " ").split()
            if "not found" in line:
                raise RuntimeError(f"{program.name} needs {words[0]}, which is not there")
            for word in words:
                if word.startswith("/") and not word.startswith(str(root)):
                    yield Path(word)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
