"""What a check of a server finds: its stages, the steps that were taken, and the one diagnosis of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    WAITING = "waiting"
    """It ends later, and elsewhere: somebody opens the test message."""


class Mender(StrEnum):
    """Who can mend a failure."""

    YOU = "you"
    PROVIDER = "provider"
    HOSTING = "hosting"
    OPERATOR = "operator"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCertificate:
    """A certificate that a server showed and that may be trusted by its fingerprint, once a person has compared it.

    :param fingerprint: SHA-256, as ``SHA256:AB:CD:…``.
    :param subject: whom it is made out to, by its own words.
    :param names: the names and addresses that it is valid for.
    :param issuer: who issued it, by its own words; anybody can write anything there.
    :param not_before: from when it is valid, UTC.
    :param not_after: until when it is valid, UTC.
    :param trusted: the fingerprint that is trusted until now, if there is one.
    """

    fingerprint: str
    subject: str
    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime
    trusted: str = ""


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
    :param certificate: the server's certificate, if it may be trusted by its fingerprint; None for every other cause,
        and for a provider's server, which always shows one that everybody trusts.
    :param provider: the id of the provider whose help page tells more, or empty.
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
    certificate: SeenCertificate | None = None
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a check.

    :param stage: which step it was.
    :param state: how it ended.
    :param milliseconds: how long it took; 0 if it was not reached.
    :param seen: what was found, as one translated sentence or phrase; empty if nothing is worth saying.
    :param raw: the server's reply (printable, secrets masked) or the text of the system's error; empty if none.
    :param diagnosis: on the failed step, why it failed and what to do.
    :param expires_at: on the step ``certificate``: until when the server's certificate is valid, UTC.
    """

    stage: Stage
    state: StepState
    milliseconds: int = 0
    seen: str = ""
    raw: str = ""
    diagnosis: Diagnosis | None = None
    expires_at: datetime | None = None
