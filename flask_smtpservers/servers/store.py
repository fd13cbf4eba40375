"""Where servers are kept: the database, reached through the host's own Flask-SQLAlchemy."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..config import Settings
from ..errors import InvalidServer, StoreUnavailable
from ..i18n import gettext as _
from ..safe_text import printable
from .change import Change, name_taken
from .fields import NAME_LENGTH, Cleaned, FieldRules, FieldWarning, clean
from .keyring import Keyring
from .lookup import OFF, SENDING, Candidates
from .profile import DESTINATION_FIELDS, FIELDS, ServerEvent, ServerProfile
from .reader import ServerReader
from .rotation import Rotation, Turn, turn
from .rows import naive, profile_of

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

__all__ = ["Candidates", "Rotation", "Saved", "ServerStore"]

logger = logging.getLogger("flask_smtpservers")

#: A change of any of these makes the last test say nothing any more.
_TESTED = {*DESTINATION_FIELDS, "password", "client_certificate", "client_key", "address"}
_SECRETS: tuple[str, ...] = ("password", "client_key")
#: Changes of a single field that have a name of their own in the history.
_ACTIONS: dict[tuple[str, ...], str] = {("password",): "password", ("is_default",): "default", ("position",): "moved"}


@dataclass(frozen=True, slots=True)
class Saved:
    """A server as it was stored, with what was changed in passing and what looks wrong."""

    profile: ServerProfile
    notices: tuple[str, ...] = ()
    warnings: tuple[FieldWarning, ...] = ()


class ServerStore(ServerReader):
    """Reads and changes the stored servers, within the caller's app context.

    A change is written on the host's transaction if one is open, and then waits for the host's commit (or
    :meth:`commit`); otherwise in a transaction of its own. Only one change happens at a time.

    :param clock: the time now, in UTC.
    :param on_event: called after each change; within the host's transaction if the change is part of it.
    :param environment: where ``env:NAME`` passwords are looked up; the process's own variables if None.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        settings: Settings,
        keyring: Keyring,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_event: Callable[[ServerEvent], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(db, settings, keyring, clock, environment=environment)
        self._on_event = on_event

    # -- changing

    def add(self, fields: Mapping[str, Any], *, actor: str = "", operator: bool = False) -> Saved:
        """Add a server; the first one becomes the default, unless it is paused.

        :param fields: as :func:`~.fields.clean` takes them.
        :param actor: who does it, for the history.
        :param operator: whether the fields come from config or the command line, where ``env:NAME`` is a reference.
        :raises InvalidServer: with the sentences for every field that is wrong; nothing was written.
        """
        with self._change(actor) as change:
            cleaned = self._cleaned(change, fields, None, operator)
            order = change.order()
            values = dict(cleaned.values)
            values["is_default"] = values["is_default"] or (not order and values["enabled"])
            if cleaned.name_proposed:
                values["name"] = change.free_name(values["name"], limit=NAME_LENGTH)
            position = min(values.pop("position", len(order)), len(order))
            secret_values = {name: values.pop(name) for name in _SECRETS if name in values}
            profile = ServerProfile(public_id=secrets.token_hex(16), position=position, **values)
            profile = self._with_secrets(profile, secret_values)
            change.insert(profile)
            change.arrange([*order[:position], profile.public_id, *order[position:]])
            if profile.is_default:
                change.clear_default(but=profile.public_id)
            change.record("added", profile)
        return Saved(profile, cleaned.notices, cleaned.warnings)

    def edit(
        self,
        public_id: str,
        fields: Mapping[str, Any],
        *,
        version: int | None = None,
        actor: str = "",
        operator: bool = False,
    ) -> Saved:
        """Change some fields of a server.

        :param version: the version that the person saw; None to overwrite whatever is there.
        :raises InvalidServer: with the sentences for every field that is wrong; nothing was written.
        :raises PasswordRequired: the destination changed and the password was not given.
        :raises ServerChanged: somebody else saved it meanwhile.
        :raises ServerNotFound: there is none with this id.
        """
        with self._change(actor) as change:
            base = change.server(public_id, version)
            cleaned = self._cleaned(change, fields, base, operator)
            profile = self._edit(change, base, cleaned)
        return Saved(profile, cleaned.notices, cleaned.warnings)

    def remove(self, public_id: str, *, version: int | None = None, actor: str = "") -> ServerProfile:
        """Remove a server and its secrets. No other one becomes the default in its place."""
        with self._change(actor) as change:
            profile = change.server(public_id, version)
            change.delete(profile)
            change.arrange(change.order())
            change.record("removed", profile)
        return profile

    def make_default(self, public_id: str, *, version: int | None = None, actor: str = "") -> ServerProfile:
        """Make a server the one for mail that no other one is meant for.

        :raises InvalidServer: it is paused.
        """
        with self._change(actor) as change:
            base = change.server(public_id, version)
            if not base.enabled:
                raise InvalidServer({"is_default": (_paused(),)})
            if base.is_default:
                return base
            profile = change.update(base, replace(base, is_default=True))
            change.clear_default(but=public_id)
            change.record("default", profile, ("is_default",))
        return profile

    def set_enabled(
        self, public_id: str, enabled: bool, *, version: int | None = None, actor: str = ""
    ) -> ServerProfile:
        """Pause a server, or let it send again."""
        with self._change(actor) as change:
            base = change.server(public_id, version)
            if base.enabled is enabled:
                return base
            profile = change.update(base, replace(base, enabled=enabled))
            change.record("enabled" if enabled else "paused", profile, ("enabled",))
        return profile

    def move(self, public_id: str, offset: int, *, actor: str = "") -> ServerProfile:
        """Move a server up (-1) or down (+1) in the list; at its end it stays."""
        with self._change(actor) as change:
            profile = change.server(public_id)
            order = change.order()
            before = order.index(public_id)
            after = max(0, min(before + offset, len(order) - 1))
            if after != before:
                order.insert(after, order.pop(before))
                change.arrange(order)
                change.record("moved", profile, ("position",))
        return replace(profile, position=after)

    def switch_sending(self, on: bool, *, actor: str = "") -> None:
        """Turn the master switch."""
        with self._change(actor) as change:
            change.set_option(SENDING, "on" if on else OFF)
            change.record("sending_on" if on else "sending_off", None)

    def record_test(self, profile: ServerProfile, passed: bool, title: str) -> None:
        """Note how a test of exactly these settings ended; at best effort, for a failure is only logged.

        :param title: the headline of the diagnosis; empty if it passed.
        """
        server = self._tables.server
        try:
            with self._connections.writing() as connection:
                self._schema.require(connection)
                row = connection.execute(select(server).where(server.c.public_id == profile.public_id))
                found = row.mappings().first()
                now = profile_of(dict(found)) if found is not None else None
                if now is None or (now.digest, now.address) != (profile.digest, profile.address):
                    return
                same = (server.c.public_id == now.public_id, server.c.version == now.version)
                values = {"tested_at": naive(self._clock()), "test_passed": passed, "test_title": printable(title, 255)}
                connection.execute(server.update().where(*same).values(values))
        except StoreUnavailable:
            logger.warning("The result of testing “%s” could not be stored", profile.name, exc_info=True)

    def commit(self) -> None:
        """Commit the host's session if a change of ours is part of its open transaction; otherwise do nothing."""
        self._connections.commit()

    def rotate(self) -> Rotation:
        """Seal every secret again with the newest key; may be stopped and run again at any time."""
        turns: dict[str, Turn] = {}
        servers = {profile.public_id: profile for profile in self.servers()}
        for public_id in servers:
            for _attempt in range(5):  # somebody may save the server in the same moment
                with self._connections.writing() as connection:
                    turns[public_id] = turn(connection, self._tables, self._vault, public_id)
                if turns[public_id] is not Turn.AGAIN:
                    break
        kinds = list(turns.values())
        failed = tuple(servers[key] for key, kind in turns.items() if kind in (Turn.FAILED, Turn.AGAIN))
        return Rotation(kinds.count(Turn.CHANGED), kinds.count(Turn.UNCHANGED), failed)

    # -- parts

    @contextmanager
    def _change(self, actor: str) -> Iterator[Change]:
        with self._connections.writing() as connection:
            self._schema.require(connection)
            change = Change(connection, self._tables, now=self._clock(), actor=actor)
            yield change
        if self._on_event is not None:
            for event in change.events:
                self._on_event(event)

    def _cleaned(
        self, change: Change, fields: Mapping[str, Any], base: ServerProfile | None, operator: bool
    ) -> Cleaned:
        """Apply the rules for fields, and those that only the database can tell, and complain of all at once."""
        errors: dict[str, tuple[str, ...]] = {}
        kind: type[InvalidServer] = InvalidServer
        cleaned: Cleaned | None = None
        try:
            rules = FieldRules.of(self._settings, operator=operator, clock=self._clock)
            cleaned = clean(fields, base=base, rules=rules)
        except InvalidServer as error:
            errors, kind = dict(error.fields), type(error)
        values: Mapping[str, Any] = cleaned.values if cleaned else fields
        name = values.get("name")
        proposed = cleaned is not None and cleaned.name_proposed and base is None
        but = base.public_id if base else ""
        if isinstance(name, str) and "name" not in errors and not proposed and change.name_taken(name, but=but):
            errors["name"] = (name_taken(),)
        was_default = base is not None and base.is_default
        if cleaned and values["is_default"] and not values["enabled"] and not was_default:
            errors["is_default"] = (_paused(),)
        if errors or cleaned is None:
            raise kind(errors)
        return cleaned

    def _edit(self, change: Change, base: ServerProfile, cleaned: Cleaned) -> ServerProfile:
        values = dict(cleaned.values)
        secret_values = {name: values.pop(name) for name in _SECRETS if name in values}
        place = values.pop("position", base.position)
        profile = self._with_secrets(replace(base, **values), secret_values)
        changed = [name for name in FIELDS if getattr(profile, name) != getattr(base, name)]
        if _TESTED.intersection(changed):
            profile = replace(profile, tested_at=None, test_passed=None, test_title="")
        if changed:
            profile = change.update(base, profile)
        if profile.is_default and not base.is_default:
            change.clear_default(but=profile.public_id)
        if place != base.position:
            order = change.order()
            order.remove(base.public_id)
            order.insert(place, base.public_id)
            change.arrange(order)
            profile = replace(profile, position=order.index(base.public_id))
            changed += ["position"] if profile.position != base.position else []
        if changed == ["enabled"]:
            change.record("enabled" if profile.enabled else "paused", profile, changed)
        elif changed:
            change.record(_ACTIONS.get(tuple(changed), "edited"), profile, changed)
        return profile

    def _with_secrets(self, profile: ServerProfile, values: Mapping[str, Any]) -> ServerProfile:
        """Seal what is given for the profile as it will be."""
        if "password" in values:
            given = values["password"]
            sealed = None if given is None else self._vault.seal_password(profile, given)
            profile = replace(profile, password=sealed, password_changed_at=self._clock() if sealed else None)
        if "client_key" in values:
            key = values["client_key"]
            profile = replace(profile, client_key=None if key is None else self._vault.seal_client_key(profile, key))
        return profile


def _paused() -> str:
    return _("A paused server cannot be the default; let it send first.")
