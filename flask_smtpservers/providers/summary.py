"""What a search comes to: the candidates worth showing, in order, and sentences on the rest. Pure.

Of hosts that an outsider named, no more is told than whether they were found: their failures, host by host, would be
a map of what can be reached from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..i18n import gettext as _
from .address import MailAddress
from .candidate import Candidate, Discovery, Source
from .probe import Probed, Verdict
from .provider import Provider

#: Candidates shown besides the best.
ALTERNATIVES = 3

#: Sources whose hosts stand in data on this machine: these may be shown without having been reached.
_KNOWN = frozenset({Source.PRESET, Source.ISPDB, Source.MX_PRESET})


@dataclass(frozen=True, slots=True)
class Finding:
    """A candidate, and what became of it; None if it was not probed to the end."""

    candidate: Candidate
    probed: Probed | None = None

    @property
    def verified(self) -> bool:
        """Whether it is what it seems."""
        return self.probed is not None and self.probed.verdict is Verdict.VERIFIED

    @property
    def disqualified(self) -> bool:
        """Whether it must not be shown."""
        return self.probed is not None and self.probed.verdict.disqualifies


def summary(
    mailbox: MailAddress,
    findings: Iterable[Finding],
    *,
    provider: Provider | None,
    notes: Sequence[str],
    skipped: Sequence[Source],
    checked: bool,
) -> Discovery:
    """Sum a search up.

    :param checked: False if nothing was probed on purpose; then nothing is said about that.
    """
    ranked = sorted(findings, key=lambda finding: finding.candidate.rank)
    candidates = tuple(_shown(ranked, checked=checked))[: ALTERNATIVES + 1]
    reason = "" if candidates else _reason(mailbox, provider, checked=checked)
    every = dict.fromkeys([*notes, *(_failures(ranked, candidates[:1]) if checked else ())])
    return Discovery(
        address=mailbox,
        candidates=candidates,
        provider=provider,
        reason=reason,
        notes=tuple(note for note in every if note != reason),
        skipped=tuple(dict.fromkeys(skipped)),
    )


def _shown(ranked: Sequence[Finding], *, checked: bool) -> Iterator[Candidate]:
    """Yield the verified ones, then those that are known without it: of the same provider, if one was verified."""
    verified = [
        finding.probed.applied_to(finding.candidate) for finding in ranked if finding.verified and finding.probed
    ]
    yield from verified
    for finding in ranked:
        candidate = finding.candidate
        if finding.verified or finding.disqualified or candidate.source not in _KNOWN:
            continue
        if not verified:
            yield _unreached(candidate) if checked else candidate
        elif finding.probed is None and candidate.provider and candidate.provider is verified[0].provider:
            yield candidate


def _unreached(candidate: Candidate) -> Candidate:
    text = _("This server could not be checked from here; its settings are those that its provider gives.")
    return candidate if candidate.note else replace(candidate, note=text)


def _failures(ranked: Sequence[Finding], winner: Sequence[Candidate]) -> Iterator[str]:
    """Say why those that would have been better than the winner are not it."""
    for finding in ranked:
        if winner and finding.candidate.rank >= winner[0].rank and winner[0].verified:
            return
        host, port = finding.candidate.host, finding.candidate.port
        verdict = finding.probed.verdict if finding.probed else Verdict.TIMED_OUT
        if verdict is Verdict.OTHER_CERTIFICATE:
            yield _("%(host)s showed a certificate that is not trusted for this name.", host=host)
        elif finding.candidate.source not in _KNOWN or verdict is Verdict.VERIFIED:
            continue
        elif verdict is Verdict.UNENCRYPTED:
            yield _("%(host)s did not offer encryption at port %(port)s.", host=host, port=port)
        elif verdict is Verdict.TIMED_OUT:
            yield _("%(host)s did not answer in time at port %(port)s.", host=host, port=port)
        else:
            yield _("%(host)s could not be reached at port %(port)s.", host=host, port=port)


def _reason(mailbox: MailAddress, provider: Provider | None, *, checked: bool) -> str:
    if provider is not None and provider.unsupported:
        return provider.unsupported
    if provider is not None and all(server.is_pattern for server in provider.all_servers):
        return _("%(provider)s has a server for each account; its settings page names yours.", provider=provider.name)
    if not checked:
        return _("Nothing is known about %(domain)s without asking it.", domain=mailbox.domain)
    return _("No server was found for %(domain)s. Enter the settings that your provider gives.", domain=mailbox.domain)
