"""Comparing a file with what is stored: every mistake is found before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InvalidServer, SecretUnreadable
from ..i18n import gettext as _
from ..permissions import APP, Scope
from ..policy import Mode
from ..secret import Secret
from .change import name_taken
from .cleaning import name_key
from .document import Document, KindServer, assigned
from .fields import Cleaned
from .history import SECRETS, values_of
from .plan import Difference, Plan, ServerChange
from .profile import DESTINATION_FIELDS, FIELDS, ServerProfile, StoredSecret
from .store import ServerStore

#: Asked for a secret that the file does not hold: (name of the server, name of the field); None if nobody knows it.
AskSecret = Callable[[str, str], Secret | None]


def plan_of(
    store: ServerStore,
    document: Document,
    *,
    scope: Scope = APP,
    kinds: Sequence[str] = (),
    prune: bool = False,
    ask: AskSecret = lambda _name, _field: None,
) -> Plan:
    """Compare a file with what is stored. Nothing is written.

    :param kinds: the kinds of mail that the app knows.
    :param prune: whether servers, and choices for kinds of mail, that the file does not name are removed.
    :param ask: gives the secrets that the file does not hold.
    :raises InvalidServer: something in the file is wrong; the keys of ``fields`` are the places.
    """
    return _Planner(store, document, scope, prune, ask).plan(kinds)


class _Planner:
    def __init__(self, store: ServerStore, document: Document, scope: Scope, prune: bool, ask: AskSecret) -> None:
        self._store = store
        self._document = document
        self._scope = scope
        self._prune = prune
        self._ask = ask
        servers = store.servers(scope=scope)
        self._stored = [one for one in servers if not one.origin]
        self._configured = [one for one in servers if one.origin]
        self._shared = store.servers() if scope.tenant and not scope.owner else []
        self._errors: dict[str, Sequence[str]] = {}
        self._places: dict[str, int] = {}
        self._first = not self._stored

    def plan(self, kinds: Sequence[str]) -> Plan:
        changes = [*self._named(), *self._removed()]
        changes = self._with_default(changes)
        order = self._order(changes)
        switches = list(self._switches(kinds, changes))
        if self._errors:
            raise InvalidServer(self._errors)
        gone = {change.name for change in changes if change.action == "removed"}
        before = [one.name for one in self._stored if one.name not in gone]
        added = [change.name for change in changes if change.action == "added"]
        return Plan(
            scope=self._scope,
            servers=tuple(change for change in changes if change.differences or change.action != "changed"),
            order=tuple(order),
            sending=self._document.sending if self._sending_changes() else None,
            modes=self._modes(),
            kinds=self._kinds(),
            switches=tuple(switches),
            others={name_key(one.name): one.public_id for one in self._shared or self._configured},
            moved=[name for name in order if name not in added] != self._renamed(before, changes),
        )

    # -- servers

    def _named(self) -> Iterator[ServerChange]:
        seen: dict[str, str] = {}
        for number, entry in enumerate(self._document.servers, 1):
            place = _("server %(number)s", number=number)
            if isinstance(entry, InvalidServer):
                self._complain(place, entry)
                continue
            name = entry.get("name")
            if isinstance(name, str) and name.strip():
                place = f"{place} “{name.strip()[:100]}”"
            base = self._base(name)
            try:
                cleaned, fields = self._cleaned(entry, base)
            except InvalidServer as error:
                self._complain(place, error)
                continue
            key = name_key(cleaned.values["name"])
            if any(key == name_key(one.name) for one in self._configured):
                said = _("A server of this name is set up in the app's configuration.")
                self._complain(place, InvalidServer({"name": [said]}))
                continue
            if key in seen:
                self._complain(place, InvalidServer({"name": [name_taken()]}))
                continue
            seen[key] = place
            base = base or self._base(cleaned.values["name"])
            yield self._change(fields, cleaned, base)

    def _base(self, name: object) -> ServerProfile | None:
        if not isinstance(name, str):
            return None
        key = name_key(name.strip())
        return next((one for one in self._stored if name_key(one.name) == key), None)

    def _cleaned(self, entry: Mapping[str, Any], base: ServerProfile | None) -> tuple[Cleaned, dict[str, Any]]:
        """Apply the rules; a secret that is missing, and nothing else, is asked for."""
        fields = dict(entry)
        while True:
            try:
                cleaned = self._store.cleaned(fields, base=base, scope=self._scope, operator=True)
            except InvalidServer as error:
                missing = [name for name in error.fields if name in SECRETS and name not in fields]
                if not missing or len(missing) < len(error.fields):
                    raise
                given = self._ask(str(fields.get("name") or fields.get("host")), missing[0])
                if given is None:
                    raise
                fields[missing[0]] = given
            else:
                return cleaned, fields

    def _change(self, fields: dict[str, Any], cleaned: Cleaned, base: ServerProfile | None) -> ServerChange:
        values = {name: value for name, value in cleaned.values.items() if name not in (*SECRETS, "position")}
        fields = {**fields, "name": values["name"]}
        place = cleaned.values.get("position")
        if place is not None:
            self._places[values["name"]] = place
        fields.pop("position", None)
        if base is None:
            if self._first and "is_default" not in fields and values["enabled"] and not self._default_named():
                values["is_default"] = fields["is_default"] = True
            self._first = False
            differences = [Difference(name, None, _plain(value)) for name, value in values.items() if name != "name"]
            differences += [
                Difference(name, None, _shown(cleaned.values[name])) for name in SECRETS if cleaned.values.get(name)
            ]
            return ServerChange("added", values["name"], _in_order(differences), fields=fields)
        old = values_of(base)
        differences = [
            Difference(name, old[name], _plain(value)) for name, value in values.items() if old[name] != _plain(value)
        ]
        for name in SECRETS:
            if self._same_secret(base, cleaned, name):
                fields.pop(name, None)
            elif name in cleaned.values:
                shown = _shown(cleaned.values[name])
                differences.append(Difference(name, old[name] or None, shown))
        return ServerChange("changed", base.name, _in_order(differences), base, fields)

    def _default_named(self) -> bool:
        return any(isinstance(one, dict) and one.get("is_default") for one in self._document.servers)

    def _same_secret(self, base: ServerProfile, cleaned: Cleaned, name: str) -> bool:
        """Say whether a secret stays: it is the one that is stored, and it goes where it went before."""
        if name not in cleaned.values or any(cleaned.values[one] != getattr(base, one) for one in DESTINATION_FIELDS):
            return False
        if name == "client_key" and cleaned.values["client_certificate"] != base.client_certificate:
            return False
        given, stored = cleaned.values[name], getattr(base, name)
        if given is None or stored is None:
            return given is stored
        if isinstance(given, StoredSecret):
            return bool(given.environment == stored.environment)
        if stored.environment:
            return False
        try:
            opened = self._store.password_of(base) if name == "password" else self._store.client_key_of(base)
        except SecretUnreadable:
            return False
        return bool(opened == given)

    def _removed(self) -> Iterator[ServerChange]:
        if not self._prune:
            return
        named = {name_key(str(one.get("name") or "")) for one in self._document.servers if isinstance(one, dict)}
        for profile in self._stored:
            if name_key(profile.name) not in named:
                yield ServerChange("removed", profile.name, (), profile)

    def _with_default(self, changes: list[ServerChange]) -> list[ServerChange]:
        """Let the old default give way to a new one; two at once are refused."""
        chosen = [change for change in changes if _gets(change, "is_default")]
        if len(chosen) > 1:
            names = ", ".join(f"“{change.name}”" for change in chosen)
            self._errors["is_default"] = [_("Only one server can be the default, not %(names)s.", names=names)]
        if not chosen:
            return changes
        old = next((one for one in self._stored if one.is_default), None)
        if old is None or chosen[0].base is old:
            return changes
        gives_way = Difference("is_default", old=True, new=False)
        for place, change in enumerate(changes):
            if change.base is old:
                if change.action == "changed" and "is_default" not in {one.name for one in change.differences}:
                    changes[place] = replace(change, differences=_in_order([*change.differences, gives_way]))
                return changes
        return [*changes, ServerChange("changed", old.name, (gives_way,), old)]

    def _order(self, changes: Sequence[ServerChange]) -> list[str]:
        """Give the final order: those with a place take it, the others stay in the order that they have."""
        gone = {change.name for change in changes if change.action == "removed"}
        now = self._renamed([one.name for one in self._stored if one.name not in gone], changes)
        now += [change.name for change in changes if change.action == "added"]
        order = [name for name in now if name not in self._places]
        for name in sorted((name for name in now if name in self._places), key=lambda name: self._places[name]):
            order.insert(min(self._places[name], len(order)), name)
        return order

    @staticmethod
    def _renamed(names: Sequence[str], changes: Sequence[ServerChange]) -> list[str]:
        """Give the names as they are spelt afterwards: a file may write them in another case."""
        new = {change.name: str(change.fields.get("name", change.name)) for change in changes}
        return [new.get(name, name) for name in names]

    def _complain(self, place: str, error: InvalidServer) -> None:
        for name, sentences in error.fields.items():
            self._errors[f"{place}: {name}"] = sentences

    # -- switches

    def _switches(self, kinds: Sequence[str], changes: Sequence[ServerChange]) -> Iterator[Difference]:
        document = self._document
        if self._scope.owner:
            if document.sending is not None or document.modes or document.kinds:
                self._errors["file"] = [_("A user's servers have no switches, ways to send or kinds of mail.")]
            return
        if self._sending_changes():
            yield Difference("sending_enabled", not document.sending, document.sending)
        switches = self._store.mode_switches(scope=self._scope)
        for mode, on in self._modes().items():
            yield Difference(f"modes.{mode}", switches.get(mode), on)
        known = self._names_afterwards(changes)
        for kind, server in document.kinds.items():
            if kind not in kinds:
                self._errors[f"kinds.{kind}"] = [_("SMTPSERVERS_KINDS names no such kind of mail.")]
            elif (server.shared, name_key(server.name)) not in known:
                self._errors[f"kinds.{kind}"] = [_("There is no server “%(name)s”.", name=server.name[:100])]
        now = assigned(self._store, self._scope)
        for kind, wanted in self._kinds().items():
            old = now.get(kind)
            yield Difference(f"kinds.{kind}", old.name if old else None, wanted.name if wanted else None)

    def _names_afterwards(self, changes: Sequence[ServerChange]) -> set[tuple[bool, str]]:
        own = {change.name for change in changes} | {one.name for one in self._stored + self._configured}
        own -= {change.name for change in changes if change.action == "removed"}
        return {(False, name_key(name)) for name in own} | {(True, name_key(one.name)) for one in self._shared}

    def _sending_changes(self) -> bool:
        wanted = self._document.sending
        return wanted is not None and wanted != self._store.sending_enabled(scope=self._scope)

    def _modes(self) -> dict[Mode, bool | None]:
        if self._scope.owner:
            return {}
        now, wanted = self._store.mode_switches(scope=self._scope), dict(self._document.modes)
        found: dict[Mode, bool | None] = {mode: on for mode, on in wanted.items() if now.get(mode) is not on}
        if self._prune:
            found.update((mode, None) for mode in now if mode not in wanted)
        return found

    def _kinds(self) -> dict[str, KindServer | None]:
        if self._scope.owner:
            return {}
        now, wanted = assigned(self._store, self._scope), self._document.kinds
        found: dict[str, KindServer | None] = {
            kind: server for kind, server in wanted.items() if not _same_server(now.get(kind), server)
        }
        if self._prune:
            found.update((kind, None) for kind in now if kind not in wanted)
        return found


def _same_server(one: KindServer | None, other: KindServer) -> bool:
    return one is not None and (one.shared, name_key(one.name)) == (other.shared, name_key(other.name))


def _gets(change: ServerChange, name: str) -> bool:
    return any(one.name == name and one.new is True for one in change.differences)


def _in_order(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(differences, key=lambda one: FIELDS.index(one.name)))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(secret: Secret | StoredSecret | None) -> Any:
    if isinstance(secret, StoredSecret):
        return f"env:{secret.environment}"
    return None if secret is None else True
