"""The worker: delivers what is due, and takes back what other workers have left lying."""

from __future__ import annotations

import logging
import os
import platform
import secrets
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from threading import Event, Thread

from flask import Flask

from ..errors import StoreUnavailable
from ..sending.builtin import BuiltIn
from ..sending.dispatch import Dispatcher
from ..state import state_of
from .carrier import Carrier

logger = logging.getLogger("flask_smtpservers")

#: How often, in seconds, it looks for messages while there are none, and for what was left lying.
NAP, UPKEEP = 1.0, 15.0

#: How long, in seconds, a worker that is asked to stop waits for servers that have the whole message.
GRACE = 30.0

#: The longest pause, in seconds, while the database does not answer.
_LONGEST_PAUSE = 30.0


class Worker:
    """Works on the outbox of one app, in as many threads as it is given.

    :param builtin: tells about the app's own server.
    :param nap_seconds: how long it rests when nothing is due.
    """

    def __init__(self, app: Flask, builtin: Callable[[], BuiltIn], *, nap_seconds: float = NAP) -> None:
        self.name = f"{platform.node()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._app = app
        self._builtin = builtin
        self._nap = nap_seconds
        self._stopping = Event()

    def stop(self) -> None:
        """Claim nothing more, and send no dot that is not sent yet. May be called from a signal handler."""
        self._stopping.set()

    def run_once(self) -> int:
        """Deliver everything that is due now; return how many messages were worked on.

        :raises StoreUnavailable: the database failed.
        """
        self._look_after()
        done = 0
        while not self._stopping.is_set() and self._work():
            done += 1
        return done

    def run(self, threads: int = 1) -> None:
        """Work until :meth:`stop`; then wait for what is under way, but not longer than :data:`GRACE`."""
        crew = [Thread(target=self._go_on, name=f"smtpservers-worker-{n}", daemon=True) for n in range(threads)]
        for one in crew:
            one.start()
        while True:
            try:
                self._look_after()
                with self._app.app_context():
                    state_of().outbox.presence.show(self.name)
            except StoreUnavailable as error:
                logger.warning("The outbox cannot be looked after: %s", error)
            if self._stopping.wait(UPKEEP):
                break
        end = time.monotonic() + GRACE
        for one in crew:
            one.join(max(0.0, end - time.monotonic()))
        with suppress(StoreUnavailable), self._app.app_context():  # if it fails: in a minute it is not counted any more
            state_of().outbox.presence.leave(self.name)

    def _go_on(self) -> None:
        pause = self._nap
        while not self._stopping.is_set():
            try:
                busy = self._work()
            except Exception:
                # Whatever it was, the message's row tells what a server can have; dying would help nobody.
                logger.exception("The outbox could not be worked on; trying again in %.0f s", pause)
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = self._nap
            if not busy:
                self._stopping.wait(self._nap)

    def _work(self) -> bool:
        """Work on one message; False if none is due."""
        with self._app.app_context():
            state = state_of()
            claim = state.outbox.claims.take()
            if claim is None:
                return False
            dispatcher = Dispatcher(self._app, state, self._builtin(), entering=nullcontext)
            carrier = Carrier(state, state.outbox, dispatcher, worker=self.name, stopping=self._stopping)
            carrier.carry(claim)
        return True

    def _look_after(self) -> None:
        with self._app.app_context():
            outbox = state_of().outbox
            lost, expired = outbox.claims.recover(), outbox.ending.expire()
        if lost:
            logger.warning("%d messages of the outbox were taken back from workers that did not come back", lost)
        if expired:
            logger.warning("%d messages of the outbox expired before a server took them", expired)
