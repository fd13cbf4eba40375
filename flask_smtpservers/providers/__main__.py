"""``python -m flask_smtpservers.providers find ADDRESS``: find the servers that an address may send through.

With ``-`` one address a line is read from standard input, and one JSON object a line is printed for each, in the same
order. No user name and no password is ever sent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

from ..errors import ConfigurationError
from ..smtp.guard import Guard
from .address import MailAddress, parse_address
from .answers import lines_of, record_of, refusal
from .cache import DiscoveryCache
from .candidate import ANYBODY, Discovery
from .discovery import discover
from .environment import SystemEnvironment
from .ispdb import Ispdb, ispdb_at

#: Searches at once while lines are read; each has some connections of its own.
AT_ONCE = 8

#: The longest line that may hold an address; of a longer one no more is read, and none of it is an address.
LINE = 1000

Find = Callable[[MailAddress], Discovery]


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command; return the exit code (0: found, 1: nothing was found, 2: wrong use)."""
    options = parser().parse_args(arguments)
    try:
        find = _finder("offline" if options.offline else "network", ispdb_at(options.ispdb) if options.ispdb else None)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.address == "-":
        for record in _records(_lines(), find):
            sys.stdout.write(json.dumps(record) + "\n")
            sys.stdout.flush()
        return 0
    return _one(options.address, find, as_json=options.json)


def parser() -> argparse.ArgumentParser:
    """Return what reads the words of the command."""
    made = argparse.ArgumentParser(
        prog="python -m flask_smtpservers.providers",
        description="What is known of mail providers.",
    )
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    find = commands.add_parser("find", help="find the servers that an address may send through")
    find.add_argument("address", metavar="ADDRESS|-", help="a mail address; - reads one a line, and prints JSON lines")
    find.add_argument("--offline", action="store_true", help="ask nobody; use what is on this machine")
    find.add_argument("--ispdb", metavar="DIR|URL", help="a database of mail settings to ask besides")
    find.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return made


def _finder(mode: Literal["network", "offline"], ispdb: Ispdb | None) -> Find:
    """Return the search; each domain is asked once."""
    guard, cache = Guard(), DiscoveryCache()
    environment = SystemEnvironment(guard=guard)

    def find(mailbox: MailAddress) -> Discovery:
        found = cache.get(mailbox.domain)
        if found is None:
            anybody = f"{ANYBODY}@{mailbox.domain}"
            found = discover(anybody, environment=environment, guard=guard, mode=mode, ispdb=ispdb)
            cache.put(found)
        return found.addressed_to(mailbox)

    return find


def _one(address: str, find: Find, *, as_json: bool) -> int:
    try:
        found = find(parse_address(_bare(address)))
    except ValueError as error:
        if as_json:
            sys.stdout.write(json.dumps(refusal(address, str(error)), indent=2) + "\n")
        else:
            sys.stderr.write(f"{error}\n")
        return 2
    if as_json:
        sys.stdout.write(json.dumps(record_of(found, address), indent=2) + "\n")
    else:
        for line in lines_of(found):
            sys.stdout.write(f"{line}\n")
    return 0 if found.best is not None else 1


def _lines() -> Iterator[str]:
    """Yield the lines of standard input, whatever bytes they are; blank ones are left out."""
    for number, line in enumerate(sys.stdin.buffer):
        encoding = "utf-8-sig" if number == 0 else "utf-8"
        text = line[: LINE + 1].decode(encoding, "surrogateescape").strip()  # what is no text is no address either
        if text:
            yield text


def _records(lines: Iterable[str], find: Find) -> Iterator[dict[str, Any]]:
    """Search for several lines at once, and yield the answers in the order of the lines."""
    waiting: deque[Future[dict[str, Any]]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as workers:
        for line in lines:
            waiting.append(workers.submit(_record, line, find))
            if len(waiting) >= 2 * AT_ONCE:
                yield waiting.popleft().result()
        for answer in waiting:
            yield answer.result()


def _record(line: str, find: Find) -> dict[str, Any]:
    try:
        return record_of(find(parse_address(_bare(line))), line)
    except ValueError as error:
        return refusal(line[:LINE], str(error))


def _bare(text: str) -> str:
    """Return the address in ``Jane Doe <jane@example.com>`` and in ``mailto:jane@example.com``."""
    text = text.strip()
    if text.endswith(">") and "<" in text:
        text = text[:-1].rpartition("<")[2]
    return text[7:] if text[:7].lower() == "mailto:" else text


if __name__ == "__main__":
    sys.exit(main())
