"""Where servers are kept: the database, reached through the host's own Flask-SQLAlchemy."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..config import Settings
from ..errors import InvalidServer, StoreUnavailable
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..providers.catalog import Catalog, packaged
from ..safe_text import printable
from . import personal
from .change import Change, name_taken
from .fields import NAME_LENGTH, Cleaned, FieldRules, FieldWarning, clean
from .keyring import Keyring
from .lookup import Candidates
from .profile import COVERED_FIELDS, FIELDS, ServerEvent, ServerProfile
from .proposals import Proposals
from .results import write_result
from .retesting import needing_test
from .rotation import Rotation, Turn, turn
from .rows import naive, profile_of
from .scoping import within
from .standing import default_is_fixed, no_more, paused
from .waiting import Waiting, differing

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

__all__ = ["Candidates", "Rotation", "Saved", "ServerStore"]

logger = logging.getLogger("flask_smtpservers")

_SECRETS: tuple[str, ...] = ("password", "client_key")
#: Changes of a single field that have a name of their own in the history.
_ACTIONS: dict[tuple[str, ...], str] = {("password",): "password", ("is_default",): "default", ("position",): "moved"}


@dataclass(frozen=True, slots=True)
class Saved:
    """A server as it was stored, with what was changed in passing and what looks wrong.

    :param waiting: the part of the change that is not in use yet, if there is one.
    """

    profile: ServerProfile
    notices: tuple[str, ...] = ()
    warnings: tuple[FieldWarning, ...] = ()
    waiting: Waiting | None = None


class ServerStore(Proposals):
    """Reads and changes the stored servers, within the caller's app context.

    A change is written on the host's transaction if one is open, and then waits for the host's commit (or
    :meth:`commit`); otherwise in a transaction of its own. Only one change happens at a time.

    Every method that concerns single servers takes the ``scope`` whose they are. Servers of another scope are not
    found, whoever asks (:class:`~flask_smtpservers.errors.ServerNotFound`).

    :param clock: the time now, in UTC.
    :param catalog: the providers that the app knows; None for the packaged ones.
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
        catalog: Catalog | None = None,
        on_event: Callable[[ServerEvent], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._catalog = catalog or packaged()
        super().__init__(
            db, settings, keyring, clock, on_event=on_event, environment=environment, catalog=self._catalog
        )

    # -- changing

    def add(self, fields: Mapping[str, Any], *, scope: Scope = APP, actor: str = "", operator: bool = False) -> Saved:
        """Add a server; the first one becomes the default, unless it is paused.

        A user gets no other one while one of his is suspended: else he would only enter it again.

        :param fields: as :func:`~.fields.clean` takes them.
        :param actor: who does it, for the history.
        :param operator: whether the fields come from config or the command line, where ``env:NAME`` is a reference.
        :raises InvalidServer: with the sentences for every field that is wrong; nothing was written.
        """
        with self._change(actor, scope) as change:
            order = change.order()
            if scope.owner and not operator and any(change.server(public_id).suspended for public_id in order):
                raise InvalidServer({"name": (no_more(),)})
            cleaned = self._cleaned(change, fields, None, scope, operator, count=len(order))
            values = dict(cleaned.values)
            alone = not order and self._fixed_default(scope) is None
            values["is_default"] = values["is_default"] or (alone and values["enabled"])
            if cleaned.name_proposed:
                values["name"] = change.free_name(values["name"], limit=NAME_LENGTH)
            position = min(values.pop("position", len(order)), len(order))
            secret_values = {name: values.pop(name) for name in _SECRETS if name in values}
            whose = {"tenant": scope.tenant or "", "owner": scope.owner or ""}
            profile = ServerProfile(public_id=secrets.token_hex(16), position=position, **{**whose, **values})
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
        scope: Scope = APP,
        actor: str = "",
        operator: bool = False,
    ) -> Saved:
        """Change some fields of a server, at once. A change that waited is dropped if this one is about the same.

        :param version: the version that the person saw; None to overwrite whatever is there.
        :raises InvalidServer: with the sentences for every field that is wrong; nothing was written.
        :raises PasswordRequired: the destination changed and the password was not given.
        :raises ServerChanged: somebody else saved it meanwhile.
        :raises ServerNotFound: there is none with this id.
        """
        with self._change(actor, scope) as change:
            base = change.server(public_id, version)
            waiting = change.waiting(base)
            cleaned = self._cleaned(change, fields, base, scope, operator)
            profile = self._edit(change, base, cleaned)
            notices = cleaned.notices
            if waiting is not None and differing(base, profile):
                change.stop_waiting(public_id)
                change.record("discarded", waiting.profile, waiting.fields, before=base)
                notices = (*notices, _("An earlier change, which was waiting for its test, was dropped."))
        return Saved(profile, notices, cleaned.warnings)

    def propose(
        self,
        public_id: str,
        fields: Mapping[str, Any],
        *,
        version: int | None = None,
        scope: Scope = APP,
        actor: str = "",
        tested: bool = False,
    ) -> Saved:
        """Change some fields of a server; what a test covers waits for that while mail goes through the server.

        A change that waits already is the one that is changed, and is replaced.

        :param tested: whether these very values have passed: then nothing waits.
        :raises InvalidServer: and the other errors of :meth:`edit`.
        """
        waiting = None
        with self._change(actor, scope) as change:
            live = change.server(public_id, version)
            earlier = change.waiting(live)
            base = earlier.profile if earlier is not None else live
            cleaned = self._cleaned(change, fields, base, scope, operator=False)
            wanted = self._wanted(live, cleaned.values, kept=base)
            changed = differing(live, wanted)
            if tested or not changed or not (live.usable and wanted.enabled):
                change.stop_waiting(public_id)
                if earlier is not None and not changed:
                    change.record("discarded", earlier.profile, earlier.fields, before=live)
                profile = self._write(change, live, wanted, cleaned)
            else:
                same = {name: getattr(live, name) for name in (*COVERED_FIELDS, "password_changed_at")}
                profile = self._write(change, live, replace(wanted, **same), cleaned)
                if profile.version == live.version:
                    profile = change.update(live, profile)  # whoever has the form open must learn of it
                waiting = change.wait(profile, wanted)
                change.record("waiting", wanted, changed, before=live)
        return Saved(profile, cleaned.notices, cleaned.warnings, waiting)

    def remove(
        self, public_id: str, *, version: int | None = None, scope: Scope = APP, actor: str = ""
    ) -> ServerProfile:
        """Remove a server and its secrets. No other one becomes the default in its place."""
        with self._change(actor, scope) as change:
            profile = change.server(public_id, version)
            change.delete(profile)
            change.arrange(change.order())
            change.record("removed", profile)
        return profile

    def remove_all(self, *, scope: Scope, actor: str = "") -> list[ServerProfile]:
        """Remove all servers of a tenant or a user who is no more, with their secrets and what the history knows."""
        with self._change(actor, scope) as change:
            removed = [change.server(public_id) for public_id in change.order()]
            for profile in removed:
                change.delete(profile)
                change.record("removed", profile)
            change.forget_values()
        return removed

    def record_test(
        self,
        profile: ServerProfile,
        passed: bool,
        title: str,
        *,
        certificate_expires_at: datetime | None = None,
        tested_by: str = "",
    ) -> None:
        """Note how a test of exactly these settings ended; at best effort, for a failure is only logged.

        :param title: the headline of the diagnosis; empty if it passed.
        :param certificate_expires_at: until when the server's certificate is valid, UTC; None if it was not seen, and
            what was noted before then stays.
        :param tested_by: who tested it, or the command that did.
        """
        server = self._tables.server
        try:
            with self._connections.writing() as connection:
                self._schema.require(connection)
                if profile.origin:
                    at, expires = self._clock(), certificate_expires_at
                    result: dict[str, Any] = {"passed": passed, "title": title, "by": tested_by}
                    write_result(connection, self._tables, profile, **result, at=at, expires=expires)
                    return
                same_server = (server.c.public_id == profile.public_id, within(server, profile.scope))
                row = connection.execute(select(server).where(*same_server))
                found = row.mappings().first()
                now = profile_of(dict(found)) if found is not None else None
                if now is None or (now.digest, now.address) != (profile.digest, profile.address):
                    return
                same = (server.c.public_id == now.public_id, server.c.version == now.version)
                values = {
                    "tested_at": naive(self._clock()),
                    "test_passed": passed,
                    "test_title": printable(title, 255),
                    "tested_by": printable(tested_by, 255),
                    "retest_since": None,
                }
                if certificate_expires_at is not None:
                    values["certificate_expires_at"] = naive(certificate_expires_at)
                connection.execute(server.update().where(*same).values(values))
        except StoreUnavailable:
            logger.warning("The result of testing “%s” could not be stored", profile.name, exc_info=True)

    def rotate(self) -> Rotation:
        """Seal every secret again with the newest key; may be stopped and run again at any time."""
        turns: dict[str, Turn] = {}
        servers = {profile.public_id: profile for profile in self.every_server()}
        for public_id in servers:
            for _attempt in range(5):  # somebody may save the server in the same moment
                with self._connections.writing() as connection:
                    turns[public_id] = turn(connection, self._tables, self._vault, public_id)
                if turns[public_id] is not Turn.AGAIN:
                    break
        kinds = list(turns.values())
        failed = tuple(servers[key] for key, kind in turns.items() if kind in (Turn.FAILED, Turn.AGAIN))
        return Rotation(kinds.count(Turn.CHANGED), kinds.count(Turn.UNCHANGED), failed)

    def cleaned(
        self,
        fields: Mapping[str, Any],
        *,
        base: ServerProfile | None = None,
        scope: Scope = APP,
        operator: bool = False,
    ) -> Cleaned:
        """Apply the rules for fields that hold in a scope; nothing is written, nor read from the database.

        :raises InvalidServer: with the sentences for every field that is wrong.
        """
        rules = FieldRules.of(self._settings, self._catalog, operator=operator, clock=self._clock)
        return clean(fields, base=base, rules=personal.rules(rules, self._settings) if scope.owner else rules)

    # -- parts

    def _cleaned(
        self,
        change: Change,
        fields: Mapping[str, Any],
        base: ServerProfile | None,
        scope: Scope,
        operator: bool,
        count: int = 0,
    ) -> Cleaned:
        """Apply the rules for fields, and those that only the database can tell, and complain of all at once.

        :param count: how many servers the scope has besides.
        """
        errors: dict[str, tuple[str, ...]] = {}
        kind: type[InvalidServer] = InvalidServer
        cleaned: Cleaned | None = None
        try:
            cleaned = self.cleaned(fields, base=base, scope=scope, operator=operator)
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
            errors["is_default"] = (paused(),)
        fixed = self._fixed_default(scope)
        if cleaned and values["is_default"] and not was_default and fixed is not None:
            errors["is_default"] = (default_is_fixed(fixed),)
        if scope.owner:
            errors = {**personal.refused(values, base, count, self._settings, self._catalog), **errors}
        if errors or cleaned is None:
            raise kind(errors)
        return cleaned

    def _edit(self, change: Change, base: ServerProfile, cleaned: Cleaned) -> ServerProfile:
        return self._write(change, base, self._wanted(base, cleaned.values, kept=base), cleaned)

    def _wanted(self, live: ServerProfile, values: Mapping[str, Any], *, kept: ServerProfile) -> ServerProfile:
        """Return a server with new values; where no new secret is given, with those of ``kept``."""
        plain = {name: value for name, value in values.items() if name not in (*_SECRETS, "position")}
        given = {name: values[name] for name in _SECRETS if name in values}
        secrets_kept = {name: getattr(kept, name) for name in (*_SECRETS, "password_changed_at")}
        return self._with_secrets(replace(live, **secrets_kept, **plain), given)

    def _write(self, change: Change, base: ServerProfile, profile: ServerProfile, cleaned: Cleaned) -> ServerProfile:
        changed = [name for name in FIELDS if getattr(profile, name) != getattr(base, name)]
        profile = needing_test(base, profile, changed, now=self._clock())
        if changed:
            profile = change.update(base, profile)
        if profile.is_default and not base.is_default:
            change.clear_default(but=profile.public_id)
        place = cleaned.values.get("position", base.position)
        if place != base.position:
            order = change.order()
            order.remove(base.public_id)
            order.insert(place, base.public_id)
            change.arrange(order)
            profile = replace(profile, position=order.index(base.public_id))
            changed += ["position"] if profile.position != base.position else []
        if "enabled" in changed and {"enabled", "draft"}.issuperset(changed):
            change.record("enabled" if profile.enabled else "paused", profile, changed, before=base)
        elif changed == ["is_default"] and not profile.is_default:
            change.record("edited", profile, changed, before=base)
        elif changed:
            change.record(_ACTIONS.get(tuple(changed), "edited"), profile, changed, before=base)
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
