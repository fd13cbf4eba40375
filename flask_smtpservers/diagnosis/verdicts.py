"""What a receiving server found out about the sender: SPF, DKIM, DMARC and ARC, in words and with what to do.

It writes that into Authentication-Results (RFC 8601) and Received-SPF (RFC 7208 §9.1); a server that passes mail on
into ARC-Authentication-Results (RFC 8617).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..i18n import N_
from ..i18n import gettext as _
from .comments import without_comments


class Method(StrEnum):
    """A way to tell whether a message really comes from its sender; the value stands in the headers."""

    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    ARC = "arc"


class Grade(StrEnum):
    """Whether something must be done."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    MISSING = "idle"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One result, as the receiving server wrote it.

    :param result: the server's word, e.g. ``softfail``; empty if it wrote none down.
    :param domain: whose record or signature was looked at; may be empty.
    :param server: the server that says so; may be empty.
    :param text: the result as a sentence.
    :param advice: what to do about it, or empty.
    """

    method: Method
    result: str
    grade: Grade
    domain: str
    server: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    result: str
    domain: str
    server: str


#: The sentence and the advice for each result. A domain that is not named reads as "the sender's domain".
_WORDS: Mapping[tuple[Method, str], tuple[Grade, str, str]] = {
    (Method.SPF, "pass"): (Grade.OK, N_("%(domain)s allows the server that sent this message."), ""),
    (Method.SPF, "fail"): (
        Grade.FAILED,
        N_("%(domain)s forbids the server that sent this message."),
        N_("Add the sending service to the SPF record of %(domain)s; its help pages give the entry."),
    ),
    (Method.SPF, "softfail"): (
        Grade.WARNING,
        N_("%(domain)s does not list the server that sent this message."),
        N_("Add the sending service to the SPF record of %(domain)s; its help pages give the entry."),
    ),
    (Method.SPF, "none"): (
        Grade.WARNING,
        N_("%(domain)s does not say which servers may send for it."),
        N_("Publish an SPF record for %(domain)s; the help pages of the mail provider give the line."),
    ),
    (Method.SPF, "permerror"): (
        Grade.FAILED,
        N_("The SPF record of %(domain)s has a mistake, so nobody can use it."),
        N_("Look for two SPF records, a typing error, or more than ten look-ups in the record of %(domain)s."),
    ),
    (Method.DKIM, "pass"): (Grade.OK, N_("It was signed by %(domain)s and not changed since."), ""),
    (Method.DKIM, "fail"): (
        Grade.FAILED,
        N_("The signature of %(domain)s does not fit the message."),
        N_("Compare the key in the DNS of %(domain)s with the one that the mail provider shows."),
    ),
    (Method.DKIM, "none"): (
        Grade.WARNING,
        N_("The message is not signed."),
        N_("Switch on DKIM at the mail provider, and publish the key that it shows in the DNS."),
    ),
    (Method.DKIM, "permerror"): (
        Grade.FAILED,
        N_("The key to the signature of %(domain)s is missing or cannot be read."),
        N_("Publish the key in the DNS of %(domain)s exactly as the mail provider shows it."),
    ),
    (Method.DMARC, "pass"): (Grade.OK, N_("SPF or DKIM speak for %(domain)s, the domain of the sender."), ""),
    (Method.DMARC, "fail"): (
        Grade.FAILED,
        N_("Neither SPF nor DKIM speak for %(domain)s, the domain of the sender."),
        N_("Let the mail provider sign with DKIM as %(domain)s itself, not as a domain of its own."),
    ),
    (Method.DMARC, "none"): (
        Grade.WARNING,
        N_("%(domain)s has no rule for mail that pretends to come from it."),
        N_("Publish a DMARC record for %(domain)s; “v=DMARC1; p=none” is a harmless beginning."),
    ),
    (Method.DMARC, "permerror"): (
        Grade.FAILED,
        N_("The DMARC record of %(domain)s has a mistake, so nobody can use it."),
        N_("Look for two DMARC records or a typing error at _dmarc.%(domain)s."),
    ),
    (Method.ARC, "pass"): (Grade.OK, N_("The servers that passed it on vouch for what they had found."), ""),
    (Method.ARC, "fail"): (
        Grade.WARNING,
        N_("The seals of the servers that passed it on do not fit the message."),
        N_("Send the test message to a mailbox that does not forward."),
    ),
}
#: Words that mean the same as another one, or are handled like it.
_SAME: Mapping[str, str] = {"hardfail": "fail", "neutral": "none", "bestguesspass": "none", "policy": "fail"}

_UNCERTAIN = N_("The check could not be finished, because the DNS did not answer in time.")
_UNCERTAIN_ADVICE = N_("Send another test message. If it stays like this, look at the name servers of the domain.")
_FORWARDED_ADVICE = N_("This says little of a message that was passed on. Send the test straight to a mailbox.")
_MISSING = N_("The headers tell no result.")

_METHOD = re.compile(r"\s*([a-z][a-z-]{0,30})(?:/\d{1,3})?\s*=\s*([a-z]{1,30})\b", re.IGNORECASE)
_PROPERTY = re.compile(r"\b((?:smtp|header|policy)\.[a-z]{1,30})\s*=\s*\"?@?([^\s;\"]{1,320})", re.IGNORECASE)
_ENVELOPE = re.compile(r"\benvelope-from=\"?<?([^\s;\">]{1,320})", re.IGNORECASE)
_WORD = re.compile(r"\s*([a-z]{1,30})\b", re.IGNORECASE)
_RECEIVER = re.compile(r"\breceiver=([^\s;]{1,255})", re.IGNORECASE)
_INSTANCE = re.compile(r"\s*i\s*=\s*(\d{1,3})\s*;", re.IGNORECASE)
#: Where each method says whose record it looked at, the best first.
_DOMAINS: Mapping[str, tuple[str, ...]] = {
    "spf": ("smtp.mailfrom", "smtp.helo"),
    "dkim": ("header.d", "header.i"),
    "dmarc": ("header.from",),
}


def verdicts(
    results: Sequence[str],
    *,
    received_spf: Sequence[str],
    arc: Sequence[str],
    sender_domain: str,
    forwarded: bool,
) -> tuple[Verdict, ...]:
    """Choose the results that count: those of the last server, which stand on top (RFC 8601 §5).

    :param results: the values of Authentication-Results, as they stand from top to bottom.
    :param received_spf: those of Received-SPF.
    :param arc: those of ARC-Authentication-Results.
    :param sender_domain: the domain of From; the signature of this domain counts most.
    :param forwarded: whether the message was passed on, which breaks SPF, and DKIM as well if a list changed it.
    """
    sources = [list(_results(value)) for value in results]
    sources += [list(_received_spf(value)) for value in received_spf]
    sources += [list(_results(_INSTANCE.sub("", value, count=1))) for value in sorted(arc, key=instance, reverse=True)]
    found = [_verdict(method, _chosen(method, sources, sender_domain), forwarded=forwarded) for method in Method]
    return tuple(verdict for verdict in found if verdict.result or verdict.method is not Method.ARC)


def instance(arc: str) -> int:
    """Return which of the servers on the way wrote an ARC-Authentication-Results; 0 if it does not say so."""
    found = _INSTANCE.match(arc)
    return int(found[1]) if found else 0


def _chosen(method: Method, sources: Iterable[Sequence[_Result]], sender_domain: str) -> _Result | None:
    for source in sources:
        own = [result for result in source if result.method == method]
        if own:
            passed = [result for result in own if result.result == "pass"]
            aligned = [result for result in passed if _aligned(result.domain, sender_domain)]
            return (aligned or passed or own)[0]
    return None


def _aligned(domain: str, sender: str) -> bool:
    return bool(domain) and (domain == sender or domain.endswith(f".{sender}") or sender.endswith(f".{domain}"))


def _verdict(method: Method, found: _Result | None, *, forwarded: bool) -> Verdict:
    if found is None:
        return Verdict(method, "", Grade.MISSING, "", "", _(_MISSING), "")
    words = {"domain": found.domain or _("the sender's domain")}
    grade, text, advice = _WORDS.get(
        (method, _SAME.get(found.result, found.result)), (Grade.WARNING, _UNCERTAIN, _UNCERTAIN_ADVICE)
    )
    if forwarded and advice:
        grade, advice = Grade.WARNING, _FORWARDED_ADVICE
    return Verdict(
        method, found.result, grade, found.domain, found.server, _(text, **words), _(advice, **words) if advice else ""
    )


def _results(value: str) -> Iterator[_Result]:
    """Read the value of one header. Microsoft leaves out the name of the server."""
    server = ""
    for number, part in enumerate(without_comments(value).split(";")):
        method = _METHOD.match(part)
        if method is None:
            if number == 0:
                server = (part.split() or [""])[0][:255]
            continue
        name = method[1].lower()
        properties = {found[1].lower(): found[2] for found in _PROPERTY.finditer(part)}
        domains = (properties[key] for key in _DOMAINS.get(name, ()) if key in properties)
        yield _Result(name, method[2].lower(), _domain_of(next(domains, "")), server)


def _received_spf(value: str) -> Iterator[_Result]:
    plain = without_comments(value)
    result = _WORD.match(plain)
    if result is None:
        return
    sender, receiver = _ENVELOPE.search(plain), _RECEIVER.search(plain)
    domain = _domain_of(sender[1]) if sender else ""
    yield _Result("spf", result[1].lower(), domain, receiver[1].strip("<>") if receiver else "")


def _domain_of(text: str) -> str:
    return text.rpartition("@")[2].strip("<>.,").lower()[:255]
