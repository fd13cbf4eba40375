"""What can be asked about a domain over the network: each question is one job, and its answer candidates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..errors import MissingExtraError
from ..i18n import gettext as _
from ..smtp.deadline import Deadline
from ..smtp.endpoint import Security
from .address import MailAddress
from .autoconfig import MAX_SERVERS, Autoconfig, autoconfig_urls, read_autoconfig
from .candidate import Candidate, Source, Trust, from_network, rank_of
from .catalog import Catalog
from .environment import Environment
from .ispdb import Ispdb, IspdbDirectory, shorter_names
from .provider import Provider
from .records import SRV_SERVICES, declines, from_mx, from_srv, incoming


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one question brought.

    :param declined: kinds of encryption for which the domain says that it offers no submission.
    :param skipped: whether the question could not be asked, because a library is missing.
    """

    candidates: tuple[Candidate, ...] = ()
    provider: Provider | None = None
    notes: tuple[str, ...] = ()
    declined: tuple[Security, ...] = ()
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question; ``rank`` is that of the best candidate which it may bring."""

    source: Source
    rank: tuple[int, int]
    ask: Callable[[Deadline], Answer]


def unanswered(mailbox: MailAddress) -> str:
    """Say that something may have been missed."""
    return _("Not every question about %(domain)s was answered in time.", domain=mailbox.domain)


#: How many names of an MX host are looked up in a service; each is a question to a third party.
_SERVICE_NAMES = 2


class Asker:
    """Knows the questions about one address."""

    def __init__(
        self,
        mailbox: MailAddress,
        environment: Environment,
        ispdb: Ispdb | None,
        catalog: Catalog,
        *,
        allow_special_use: bool,
    ) -> None:
        self._mailbox = mailbox
        self._environment = environment
        self._ispdb = ispdb
        self._catalog = catalog
        self._allow_special_use = allow_special_use

    def ispdb_offline(self) -> Answer:
        """Look the domain up in the operator's directory, if there is one."""
        if not isinstance(self._ispdb, IspdbDirectory):
            return Answer()
        try:
            page = self._ispdb.page(self._mailbox.domain)
        except OSError as error:
            text = _("The directory of mail settings cannot be read: %(reason)s.", reason=error.strerror or str(error))
            return Answer(notes=(text,))
        return self._from_page(page, Source.ISPDB, Trust.HIGH)

    def lookups(self) -> Iterator[Lookup]:
        """Yield every question to the network, those with the better answers first."""
        domain = self._mailbox.domain
        if self._ispdb is not None and not isinstance(self._ispdb, IspdbDirectory):
            yield self._page(self._ispdb.url(domain), Source.ISPDB, Trust.HIGH)
        for number, url in enumerate(autoconfig_urls(domain)):
            yield self._page(url, Source.AUTOCONFIG, Trust.MEDIUM, number * MAX_SERVERS)
        yield self._lookup(Source.MX_PRESET, 0, self._mx)
        for number, service in enumerate(SRV_SERVICES):
            yield self._srv(service, number * MAX_SERVERS)

    def _lookup(self, source: Source, place: int, ask: Callable[[Deadline], Answer]) -> Lookup:
        def careful(deadline: Deadline) -> Answer:
            try:
                return ask(deadline)
            except MissingExtraError as error:
                text = _("MX and SRV records were not looked up; for that, install: %(command)s", command=str(error))
                return Answer(skipped=True, notes=(text,))
            except OSError:
                return Answer(notes=(unanswered(self._mailbox),))

        return Lookup(source, (rank_of(source), place), careful)

    # -- pages
    def _page(self, url: str, source: Source, trust: Trust, place: int = 0) -> Lookup:
        def ask(deadline: Deadline) -> Answer:
            return self._from_page(self._environment.fetch(url, deadline), source, trust, place)

        return self._lookup(source, place, ask)

    def _from_page(self, page: bytes | None, source: Source, trust: Trust, place: int = 0) -> Answer:
        if page is None:
            return Answer()
        read = read_autoconfig(page, self._mailbox, allow_special_use=self._allow_special_use)
        if read is None:
            return Answer()
        notes: tuple[str, ...] = ()
        if read.unencrypted:
            text = _("What is known of %(domain)s names only servers without encryption.", domain=self._mailbox.domain)
            notes = (text,)
        return Answer(candidates=tuple(self._candidates(read, source, trust, place)), notes=notes)

    def _candidates(self, read: Autoconfig, source: Source, trust: Trust, first: int) -> Iterator[Candidate]:
        for place, server in enumerate(read.servers, first):
            yield from_network(
                self._mailbox,
                server.host,
                server.port,
                server.security,
                source=source,
                trust=trust,
                place=place,
                username=server.username,
            )

    # -- records
    def _mx(self, deadline: Deadline) -> Answer:
        records = self._environment.mx(self._mailbox.domain, deadline)
        concluded = incoming(records, allow_special_use=self._allow_special_use)
        if concluded.filtered:
            text = _(
                "Mail to %(domain)s passes a filter first, which says nothing about the server that sends.",
                domain=self._mailbox.domain,
            )
            return Answer(notes=(text,))
        if not concluded.host:
            return Answer()
        provider, candidates = from_mx(self._mailbox, concluded.host, self._catalog)
        if provider is not None and provider.unsupported:
            return Answer(provider=provider, notes=(provider.unsupported,))
        if candidates:
            return Answer(candidates=tuple(candidates), provider=provider)
        return replace(self._mx_in_ispdb(concluded.host, deadline), provider=provider)

    def _mx_in_ispdb(self, host: str, deadline: Deadline) -> Answer:
        names = list(shorter_names(host))
        if isinstance(self._ispdb, IspdbDirectory):
            pages = (self._ispdb.page(name) for name in names)
        elif self._ispdb is not None:
            service = self._ispdb
            pages = (self._environment.fetch(service.url(name), deadline) for name in names[:_SERVICE_NAMES])
        else:
            return Answer()
        page = next((page for page in pages if page is not None), None)
        return self._from_page(page, Source.MX_ISPDB, Trust.MEDIUM)

    def _srv(self, service: str, place: int) -> Lookup:
        def ask(deadline: Deadline) -> Answer:
            records = self._environment.srv(f"{service}.{self._mailbox.domain}", deadline)
            if declines(records):
                return Answer(declined=(SRV_SERVICES[service],))
            found = from_srv(self._mailbox, service, records, allow_special_use=self._allow_special_use)
            return Answer(candidates=tuple(found))

        return self._lookup(Source.SRV, place, ask)
