"""What was found for an address, as the set-up page shows it: the server in words, the question, the form for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..i18n import gettext as _
from ..providers.address import is_under
from ..providers.answers import security_words, source_words, trust_words
from ..providers.candidate import Candidate, Discovery, Trust
from ..providers.provider import Provider
from ..providers.registrable import registered_part
from ..servers import personal
from ..state import state_of
from .access import scope_of_request
from .forms import ServerForm, whole
from .presets import OTHER
from .sheet import Sheet, blank

_ICONS = {Trust.HIGH: "ok", Trust.MEDIUM: "info", Trust.LOW: "warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One server that was found.

    :param start: the part of its name before ``domain``.
    :param domain: the part that somebody registered, which says whose server it is.
    :param key: the value of the button that chooses it.
    :param checked: whether it answered just now, as a sentence.
    :param note: what must be known about it; may be empty.
    :param question: what must be confirmed before a password may go there; may be empty.
    """

    host: str
    start: str
    domain: str
    port: int
    security: str
    key: str
    source: str
    trust: str
    trust_icon: str
    checked: str
    verified: bool
    note: str
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer to a search.

    :param chosen: None if nothing was found.
    :param others: what can be chosen in its place.
    :param provider: whose server it is, or who was recognised although nothing can be used.
    """

    domain: str
    chosen: Shown | None
    others: tuple[Shown, ...]
    reason: str
    notes: tuple[str, ...]
    provider: Provider | None


def show_found(found: Discovery, chosen: Candidate | None) -> Found:
    """Put an answer into words.

    :param chosen: the candidate that is looked at.
    """
    domain = found.address.domain
    others = (one for one in found.candidates if chosen is None or one.key != chosen.key)
    return Found(
        domain=domain,
        chosen=_shown(chosen, domain) if chosen is not None else None,
        others=tuple(_shown(one, domain) for one in others),
        reason=found.reason,
        notes=found.notes,
        provider=(chosen.provider if chosen is not None else None) or found.provider,
    )


def usable(found: Discovery) -> Discovery:
    """Leave of an answer what may be used: for a user, only the servers that the operator permits."""
    if not scope_of_request().owner:
        return found
    state = state_of()
    permitted = (one for one in found.candidates if personal.permits(one.host, one.port, state.settings, state.catalog))
    candidates = tuple(permitted)
    reason = found.reason
    if found.candidates and not candidates:
        reason = _("The servers of this address are not among those that may be used here.")
    return replace(found, candidates=candidates, reason=reason)


def candidate_at(found: Discovery, host: str, port: str, security: str) -> Candidate | None:
    """Return the candidate for a server; None if it was not found."""
    wanted = (host.strip().lower(), whole(port.strip(), 5), security)
    return next((one for one in found.candidates if (one.host, one.port, str(one.security)) == wanted), None)


def candidate_of(found: Discovery, key: str) -> Candidate | None:
    """Return the candidate that a button chooses; the best if there is none such."""
    return next((one for one in found.candidates if _key(one) == key), found.best)


def sheet_for(candidate: Candidate | None, send_as: str, address: str) -> Sheet:
    """Return the form of a new server filled in with what was found.

    :param send_as: the address as it was typed, perhaps with a name.
    :param address: the address alone.
    """
    sheet = blank()
    form = sheet.form
    form.set("send_as", send_as)
    if candidate is None:
        form.set("username", address)
        return sheet
    provider = candidate.provider
    form.set("provider", provider.id if provider is not None and candidate.host in provider.hosts else OTHER)
    form.set("host", candidate.host)
    form.secure_with(str(candidate.security))
    form.use_port(candidate.port)
    form.set("username", candidate.username)
    form.set("name", next(_free_names(candidate, address), ""))
    return sheet


def question_of(candidate: Candidate, domain: str) -> str:
    """Return what must be confirmed before a password may go to a server; empty if nothing."""
    if candidate.trust is Trust.HIGH or is_under(candidate.host, domain):
        return candidate.confirm
    return candidate.confirm or _("Mail of %(domain)s would go out through %(host)s. Is that your provider?",
                                  domain=domain, host=candidate.host)  # fmt: skip


def hidden_fields(form: ServerForm, *shown: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of every field of the form that the page does not show, as a browser would send them.

    :param shown: the fields that the page shows.
    """
    never = ("smtp_secret", "client_key", "draft", "version", "followed", *shown)
    for field in form:
        value = field.data
        if field.name not in never and value not in (None, "", False):
            yield field.name, "1" if value is True else str(value)


def _free_names(candidate: Candidate, address: str) -> Iterator[str]:
    taken = {server.name.casefold() for server in state_of().store.servers(scope=scope_of_request())}
    names = (candidate.provider.name if candidate.provider is not None else candidate.host, address)
    return (name for name in names if name.casefold() not in taken)


def _shown(candidate: Candidate, domain: str) -> Shown:
    start, registered = registered_part(candidate.host)
    if candidate.verified:
        checked = _("It answered just now, encrypted and with a valid certificate.")
    else:
        checked = _("Not tried yet; the check below does.")
    return Shown(
        host=candidate.host,
        start=start,
        domain=registered,
        port=candidate.port,
        security=security_words(candidate.security),
        key=_key(candidate),
        source=source_words(candidate, domain),
        trust=trust_words(candidate.trust),
        trust_icon=_ICONS[candidate.trust],
        checked=checked,
        verified=candidate.verified,
        note=candidate.note,
        question=question_of(candidate, domain),
    )


def _key(candidate: Candidate) -> str:
    return f"{candidate.host}:{candidate.port}:{candidate.security}"
