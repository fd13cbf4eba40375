"""From an address to its servers, as the operator allows: what may be asked, and what was asked lately."""

from __future__ import annotations

import logging

from ..config import Settings
from ..i18n import language
from ..providers.address import MailAddress, parse_address
from ..providers.cache import DiscoveryCache
from ..providers.candidate import ANYBODY, Discovery
from ..providers.catalog import Catalog
from ..providers.discovery import discover
from ..providers.environment import Environment, SystemEnvironment
from ..providers.ispdb import IspdbService, ispdb_at
from ..smtp.guard import Guard
from ..smtp.network import Network

logger = logging.getLogger("flask_smtpservers")


class Finder:
    """Finds the servers that an address may send through; one for an app.

    :param catalog: the providers that the app knows.
    :param guard: what may be connected to.
    :param network: how hosts are resolved and connected to.
    """

    def __init__(self, settings: Settings, catalog: Catalog, *, guard: Guard, network: Network) -> None:
        self.environment: Environment = SystemEnvironment(guard=guard, network=network, ca_file=settings.ca_file)
        self._settings = settings
        self._catalog = catalog
        self._guard = guard
        self._cache = DiscoveryCache()
        self._ispdb = ispdb_at(settings.ispdb) if settings.ispdb else None

    @property
    def enabled(self) -> bool:
        """Whether the operator wants servers to be found from addresses at all."""
        return self._settings.discovery != "off"

    @property
    def asks_network(self) -> bool:
        """Whether the domain of an address may be asked, or only what is on this machine."""
        return self._settings.discovery == "network"

    @property
    def asks_service(self) -> str:
        """The service of somebody else that learns the domains which are looked up; empty if there is none."""
        return self._ispdb.prefix if self.asks_network and isinstance(self._ispdb, IspdbService) else ""

    def recall(self, address: str) -> Discovery | None:
        """Return what is known of an address without asking anybody; None if only a search can tell.

        :raises ValueError: ``address`` is none; the text is a sentence.
        """
        mailbox = self._mailbox(address)
        if not self.asks_network:
            return self.find(address)
        found = self._cache.get(mailbox.domain, language())
        return found.addressed_to(mailbox) if found is not None else None

    def find(self, address: str, *, offline: bool = False) -> Discovery:
        """Find the servers for ``address``; asks a domain only if nothing is remembered of it. Takes up to ten seconds.

        :param offline: ask nobody, even if the operator allows it.
        :raises ValueError: ``address`` is none; the text is a sentence.
        """
        mailbox = self._mailbox(address)
        if offline or not self.asks_network:
            return discover(
                address,
                environment=self.environment,
                guard=self._guard,
                mode="offline",
                catalog=self._catalog,
                ispdb=self._ispdb,
            )
        found = self._cache.get(mailbox.domain, language())
        if found is None:
            logger.info("looking for the mail servers of %s", mailbox.domain)
            found = discover(
                f"{ANYBODY}@{mailbox.domain}",
                environment=self.environment,
                guard=self._guard,
                catalog=self._catalog,
                ispdb=self._ispdb,
                ca_file=self._settings.ca_file,
            )
            self._cache.put(found, language())
        return found.addressed_to(mailbox)

    def _mailbox(self, address: str) -> MailAddress:
        """Split an address. An internal domain (acme.internal) can only be known from the operator's own list."""
        return parse_address(address, allow_special_use=self._catalog.provider_of_address(address) is not None)
