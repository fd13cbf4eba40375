"""How much a server may say, and how slowly, before it is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what one session reads and how long it waits; hostile and broken servers run into them.

    :param line_bytes: the longest reply line, line end included (RFC 5321 §4.5.3.1.5 says 512; some say more).
    :param reply_lines: the most lines of one reply.
    :param reply_bytes: the largest reply.
    :param data_rate: the least speed at which content must flow, in bytes per second.
    :param final_reply_seconds: the longest wait for the reply to the final dot (RFC 5321 §4.5.3.2.6);
        the session's deadline may end it sooner.
    :param flight_commands: the most commands that travel at once: RSET, MAIL, a hundred RCPT and DATA. Their replies
        must fit into what the system buffers for us, or both sides could wait in writing (RFC 2920 §3.1).
    """

    line_bytes: int = 2048
    reply_lines: int = 100
    reply_bytes: int = 16384
    data_rate: int = 500
    final_reply_seconds: float = 600.0
    flight_commands: int = 103
