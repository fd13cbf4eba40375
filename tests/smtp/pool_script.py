"""What the tests of the pool run in a process of its own: ``python -m tests.smtp.pool_script fork PORT``."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from flask_smtpservers.smtp import Deadline, Endpoint, Envelope, Guard, Security, Session, SystemNetwork
from flask_smtpservers.smtp.pool import Pool, PoolLimits


class Clock:
    """Time; asked by the thread called "holder", which then holds the pool's lock, it waits."""

    def __init__(self) -> None:
        self.held, self.release = threading.Event(), threading.Event()

    def __call__(self) -> float:
        if threading.current_thread().name == "holder":
            self.held.set()
            self.release.wait(20)
        return time.monotonic()


class Sender:
    def __init__(self, port: int) -> None:
        self.clock = Clock()
        self.pool = Pool(PoolLimits(per_server=2), self.clock)
        self.endpoint = Endpoint(host="127.0.0.1", port=port, security=Security.NONE, guarded=False)

    def make(self) -> Session:
        return Session(self.endpoint, network=SystemNetwork(), guard=Guard(), deadline=Deadline(10))

    def send(self, name: str, sent: threading.Event | None = None, go_on: threading.Event | None = None) -> None:
        """Send a message to ``name``; then keep the session until told."""
        with self.pool.loan("key", self.make, Deadline(10)) as loan:
            loan.session.send(Envelope("s@x.test", (f"{name}@x.test",)), b"Subject: x\r\n\r\nhello\r\n")
            if sent is not None and go_on is not None:
                sent.set()
                go_on.wait(20)


def sockets() -> int:
    """How many sockets this process has open."""
    links = (str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(link.startswith("socket:") for link in links)


def leave(port: int) -> None:
    """End with a session at rest."""
    Sender(port).send("a")


def fork(port: int) -> None:
    """Fork while one session rests, another is in use by a thread, and a third thread holds the pool's lock."""
    before, sender = sockets(), Sender(port)
    sent, go_on = threading.Event(), threading.Event()
    user = threading.Thread(target=sender.send, args=("thread", sent, go_on))
    user.start()
    sent.wait(20)
    sender.send("parent")
    holder = threading.Thread(target=sender.send, args=("holder",), name="holder")
    holder.start()
    sender.clock.held.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a lock that nobody releases would hold us for ever
        left = sockets() - before
        sender.send("child")
        sys.exit(left)  # in good order: what is to be done at exit is done
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sender.clock.release.set()
    go_on.set()
    holder.join(20)
    user.join(20)
    sender.send("parent")
    sys.stdout.write(json.dumps({"child": status}))


def fork_inside(port: int) -> None:
    """Fork while the forking thread itself uses a session: the connection stays with the parent."""
    sender = Sender(port)
    with sender.pool.loan("key", sender.make, Deadline(10)) as loan:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            usable = loan.session.usable
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            loan.session.send(Envelope("s@x.test", ("parent@x.test",)), b"Subject: x\r\n\r\nhello\r\n")
    if child == 0:
        sender.send("child")
        sys.exit(3 if usable else sender.pool.lent)
    sys.stdout.write(json.dumps({"child": status}))


if __name__ == "__main__":
    {"leave": leave, "fork": fork, "fork_inside": fork_inside}[sys.argv[1]](int(sys.argv[2]))
