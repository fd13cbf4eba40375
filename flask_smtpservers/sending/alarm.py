"""Who has been told of what lately: an alarm that a whole queue of messages would sound is sounded once an hour."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

_HOUR = 3600.0
#: Alarms that are remembered; more than there are servers.
_MOST = 1000


class Alarms:
    """Remembers what was sounded within the hour, in this process; safe with threads.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sounded: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def due(self, alarm: str) -> bool:
        """Say whether an alarm is to be sounded, and count it as sounded then.

        :param alarm: what it is about.
        """
        now = self._clock()
        with self._lock:
            last = self._sounded.get(alarm)
            if last is not None and now - last < _HOUR:
                return False
            self._sounded[alarm] = now
            self._sounded.move_to_end(alarm)
            if len(self._sounded) > _MOST:
                self._sounded.popitem(last=False)
            return True
