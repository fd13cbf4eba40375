"""What importing a file would change: values that can be shown before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..permissions import Scope
from ..policy import Mode
from .document import KindServer
from .profile import ServerProfile


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that changes.

    :param old: None if there was none.
    :param new: None if it is removed; of a secret True, or the reference to the environment.
    """

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class ServerChange:
    """What happens to one server.

    :param action: ``added``, ``changed`` or ``removed``.
    :param base: the server as it is stored; None for one that is added.
    :param fields: what is written.
    """

    action: str
    name: str
    differences: tuple[Difference, ...]
    base: ServerProfile | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a file would change.

    :param order: the names of all servers, in the order in which they then stand.
    :param switches: the master switch, ways to send and kinds of mail that change.
    :param others: the public ids, by the keys of their names, of servers that kinds of mail may be assigned to besides:
        the app's for a tenant, those of the configuration for the app.
    :param moved: whether stored servers change their order.
    """

    scope: Scope
    servers: tuple[ServerChange, ...] = ()
    order: tuple[str, ...] = ()
    sending: bool | None = None
    modes: Mapping[Mode, bool | None] = field(default_factory=dict)
    kinds: Mapping[str, KindServer | None] = field(default_factory=dict)
    switches: tuple[Difference, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    moved: bool = False

    @property
    def empty(self) -> bool:
        """Whether everything is as the file says."""
        return not (self.servers or self.switches or self.moved)
