"""The rules by which a message finds its server, each by itself: which servers it fits, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..i18n import gettext as _
from ..policy import Kind
from ..servers.mailboxes import address_key
from ..servers.profile import ForeignSender, ServerProfile


@dataclass(frozen=True, slots=True)
class Question:
    """What the choice depends on.

    :param using: the name or public id that the program asked for, or None.
    :param address: the address of the message's own sender; empty if it has none, or only the app's default sender,
        for which the default server answers.
    :param kind: the kind of mail, or None.
    :param kind_servers: public ids of the servers that this kind is assigned to: the tenant's choice first.
    :param tenant: the id of the tenant whose mail it is; empty for the app's own.
    :param owner: the id of the user whose mail it is, or who is in front of the page; empty for nobody.
    :param owner_named: whether the program said that the mail is this user's.
    :param personal: whether users may have servers of their own.
    :param fallback: whether a shared server sends a user's mail if his own cannot.
    :param withdrawn: public ids of users' servers that the operator does not permit any more.
    :param from_app: whether ``address`` is that of the app's default sender, whatever name stands beside it.
    """

    using: str | None = None
    address: str = ""
    kind: Kind | None = None
    kind_servers: tuple[str, ...] = ()
    tenant: str = ""
    owner: str = ""
    owner_named: bool = False
    personal: bool = False
    fallback: bool = True
    withdrawn: frozenset[str] = field(default_factory=frozenset)
    from_app: bool = False

    def concerns(self, server: ServerProfile) -> bool:
        """Whether a server may have to do with the message at all: it is the app's, the tenant's, or the user's."""
        if server.owner:
            return (server.tenant, server.owner) == (self.tenant, self.owner)
        return server.tenant in ("", self.tenant)

    def is_users_own(self, own: Sequence[ServerProfile]) -> bool:
        """Whether this is a user's own mail: the program says so, its kind does, or it comes from his proved address.

        Mail from the address of the app's default sender never is, nor is mail to many.

        :param own: the user's servers.
        """
        if not self.personal or not self.address or self.from_app or (self.kind is not None and self.kind.bulk):
            return False
        if self.owner_named or (self.kind is not None and self.kind.personal):
            return True
        wanted = address_key(self.address)[0]
        return any(server.proved and address_key(server.address)[0] == wanted for server in own)


@dataclass(frozen=True, slots=True)
class Fit:
    """A server that a rule fits.

    :param reason: why.
    :param fault: why it cannot take the message all the same; empty if it can.
    """

    server: ServerProfile
    reason: str
    fault: str = ""


#: The servers that a rule fits, the best first, and what is said if there is none.
Found = tuple[Sequence[Fit], str]


def fault_of(server: ServerProfile, question: Question) -> str:
    """Say why no mail can go through a server now; empty if it can."""
    if server.suspended:
        return _("It was suspended by an administrator.")
    if not server.enabled:
        return _("It is paused.")
    if not server.proved:
        return _("Its sending address has not been proved yet.")
    if server.public_id in question.withdrawn:
        return _("Such servers may not be used any more.")
    return ""


def by_name(question: Question, servers: Sequence[ServerProfile]) -> Found:  # noqa: ARG001 - the rules look alike
    """Answer for messages without a name; those with one are not tried by the other rules."""
    return (), _("The program asked for no server by name.")


def by_owner(question: Question, own: Sequence[ServerProfile]) -> Found:
    """Find the user's own servers, if this is his own mail: the one with its address, then his default."""
    if not question.personal:
        return (), _("Users have no servers of their own here.")
    if not question.address:
        return (), _("The message has no sender of its own, so it is not a user's own mail.")
    if question.from_app:
        return (), _("The message has the app's own sender, so it is not a user's own mail.")
    if question.kind is not None and question.kind.bulk:
        return (), _("Mail to many never goes through a user's own server.")
    if not question.owner:
        return (), _("Nothing says whose mail it is.")
    if not question.is_users_own(own):
        return (), _("Nothing says that this is the user's own mail.")
    wanted = address_key(question.address)[0]
    ordered = sorted(own, key=lambda server: address_key(server.address)[0] != wanted)
    fitting = [Fit(server, _("“%(name)s” is the user's own server.", name=server.name)) for server in ordered]
    return fitting, _("The user has no server of his own.")


def by_kind(question: Question, servers: Sequence[ServerProfile]) -> Found:
    """Find the servers that the kind of mail is assigned to."""
    kind = question.kind
    if kind is None:
        return (), _("The message is of no kind in particular.")
    assigned = [server for one in question.kind_servers for server in servers if server.public_id == one]
    words = _("Mail of the kind “%(kind)s” is assigned to “%(name)s”.")
    fitting = [Fit(server, words % {"kind": kind.label, "name": server.name}) for server in assigned]
    return fitting, _("Mail of the kind “%(kind)s” is assigned to no server.", kind=kind.label)


def by_address(question: Question, servers: Sequence[ServerProfile]) -> Found:
    """Find the servers that send as the message's own sender."""
    if not question.address:
        return (), _("The message has no sender of its own.")
    wanted = address_key(question.address)[0]
    fitting: list[Fit] = []
    for server in servers:
        if address_key(server.address)[0] == wanted:
            fitting.append(Fit(server, _("“%(name)s” sends as %(address)s.", name=server.name, address=server.address)))
        elif wanted in server.allowed_senders:
            fitting.append(Fit(server, _("“%(name)s” may send as %(address)s.", name=server.name, address=wanted)))
    return fitting, _("No server sends as %(address)s.", address=question.address)


def by_domain(question: Question, servers: Sequence[ServerProfile]) -> Found:
    """Find the servers that send for the domain of the message's own sender."""
    domain = address_key(question.address)[1]
    if not domain:
        return (), _("The message has no sender of its own.")
    fitting: list[Fit] = []
    for server in servers:
        if address_key(server.address)[1] == domain:
            reason = _("“%(name)s” sends for the domain %(domain)s.", name=server.name, domain=domain)
        elif domain in server.allowed_senders:
            reason = _("“%(name)s” may send for the domain %(domain)s.", name=server.name, domain=domain)
        else:
            continue
        refuses = server.foreign_sender is ForeignSender.REFUSE and not server.may_send_as(question.address)
        fitting.append(Fit(server, reason, _("It refuses this sender.") if refuses else ""))
    return fitting, _("No server sends for the domain %(domain)s.", domain=domain)


def by_tenant(question: Question, servers: Sequence[ServerProfile]) -> Found:
    """Find the tenant's default server."""
    if not question.tenant:
        return (), _("The mail belongs to no tenant.")
    return _defaults(servers, question.tenant), _("No server of the tenant is its default.")


def by_default(question: Question, servers: Sequence[ServerProfile]) -> Found:  # noqa: ARG001 - the rules look alike
    """Find the app's default server."""
    return _defaults(servers, ""), _("No server is the default.")


def _defaults(servers: Sequence[ServerProfile], tenant: str) -> list[Fit]:
    return [
        Fit(server, _("“%(name)s” is the default server.", name=server.name))
        for server in servers
        if server.is_default and server.tenant == tenant
    ]
