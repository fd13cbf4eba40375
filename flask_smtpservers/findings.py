"""What a check of a server finds: its stages, the steps that were taken, and the one diagnosis of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """The stages of a check, in the order of a STARTTLS session; a closed list.

    With security ``ssl`` the stages ``tls`` and ``certificate`` come before ``greeting``.
    """

    SETTINGS = "settings"
    RESOLVE = "resolve"
    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    TLS = "tls"
    CERTIFICATE = "certificate"
    AUTH = "auth"
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    DATA = "data"
    ARRIVAL = "arrival"


class StepState(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


class Mender(StrEnum):
    """Who can mend a failure."""

    YOU = "you"
    PROVIDER = "provider"
    HOSTING = "hosting"
    OPERATOR = "operator"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The one cause of a failure, in plain words, and what to do about it.

    :param cause: an id from the closed list in :mod:`flask_smtpservers.diagnosis.causes`.
    :param fix: an id from the closed list of fixes there.
    :param title: the cause as a headline of a few words.
    :param explanation: the cause as one or two whole sentences.
    :param steps: what to do, one to three sentences, in this order.
    :param transient: whether trying again later, with nothing changed, may help.
    :param mender: who can mend it.
    :param said: the server's own words, printable and without secrets; empty if it said nothing.
    :param link: a page of the provider that helps, or empty.
    :param correction: the fields of the form to change and their new values, where one press of a button mends it;
        a port or an encryption stands here only if it was tried and works. Not to be changed.
    """

    cause: str
    fix: str
    title: str
    explanation: str
    steps: tuple[str, ...]
    transient: bool
    mender: Mender = Mender.YOU
    said: str = ""
    link: str = ""
    correction: Mapping[str, str | int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check.

    :param stage: which step it was.
    :param state: how it ended.
    :param milliseconds: how long it took; 0 if it was not reached.
    :param seen: what was found, as one translated sentence or phrase; empty if nothing is worth saying.
    :param raw: the server's reply (printable, secrets masked) or the text of the system's error; empty if none.
    :param diagnosis: on the failed step, why it failed and what to do.
    """

    stage: Stage
    state: StepState
    milliseconds: int = 0
    seen: str = ""
    raw: str = ""
    diagnosis: Diagnosis | None = None
