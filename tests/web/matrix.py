"""Who reaches what: every page of the blueprint, for everybody, in each of the scopes.

A page that is not in :data:`PAGES` fails the suite: whoever adds one says here whose business it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from flask_smtpservers.errors import ServerNotFound
from tests.apps import Host

from .browser import Browser
from .tenants import SCOPES, Furniture, a_server, furnish, person, with_login


class Role(StrEnum):
    """Who asks. The servers that ``own`` and ``foreign`` speak of are those of the tenant acme and of its user ann."""

    NOBODY = "nobody"
    BOT = "bot"
    USER_OWN = "user, own"
    USER_FOREIGN = "user, foreign"
    ADMIN_OWN = "tenant admin, own"
    ADMIN_FOREIGN = "tenant admin, foreign"
    VENDOR_AT_TENANT = "vendor, looking at the tenant"
    VENDOR = "vendor, at the app"


#: Who plays each role, and at which tenant he looks.
PLAYERS: Mapping[Role, tuple[str, str | None]] = {
    Role.NOBODY: ("", None),
    Role.BOT: ("bot", None),
    Role.USER_OWN: ("ann", None),
    Role.USER_FOREIGN: ("ben", None),
    Role.ADMIN_OWN: ("acme admin", None),
    Role.ADMIN_FOREIGN: ("bolt admin", None),
    Role.VENDOR_AT_TENANT: ("vendor", "acme"),
    Role.VENDOR: ("vendor", None),
}

#: What an answer amounts to.
LOGIN, DENIED, MISSING, REACHED = "login", "403", "404", "yes"


class Business(StrEnum):
    """Whose business a page is."""

    ADMIN = "a page of the administration"
    SERVER = "about a server of the administration"
    PERSONAL = "about a user's own server, for the administration"
    OWN = "a page of one's own servers"
    OWN_SERVER = "about one of one's own servers"
    APP = "about the whole app"
    BUILTIN = "about the app's own server"
    TICKET = "about what the person did before"
    OWN_TICKET = "about what the person did before with his own servers"
    OPEN = "for everybody who has its address"


_TENANT_ADMINS = (Role.ADMIN_OWN, Role.ADMIN_FOREIGN)
_VENDORS = (Role.VENDOR_AT_TENANT, Role.VENDOR)
_USERS = (Role.USER_OWN, Role.USER_FOREIGN)
_EVERYBODY = tuple(Role)

#: By the business: who reaches the page, and for whom it does not exist. The others get the login page, or 403.
EXPECTED: Mapping[Business, tuple[tuple[Role, ...], tuple[Role, ...]]] = {
    Business.ADMIN: ((*_TENANT_ADMINS, *_VENDORS), ()),
    Business.SERVER: ((Role.ADMIN_OWN, Role.VENDOR_AT_TENANT), (Role.ADMIN_FOREIGN, Role.VENDOR)),
    Business.PERSONAL: ((Role.ADMIN_OWN, Role.VENDOR_AT_TENANT), (Role.ADMIN_FOREIGN, Role.VENDOR)),
    Business.OWN: ((*_USERS, *_VENDORS), ()),
    Business.OWN_SERVER: ((Role.USER_OWN,), (Role.USER_FOREIGN, *_VENDORS)),
    Business.APP: (_VENDORS, ()),
    Business.BUILTIN: ((Role.VENDOR,), (*_TENANT_ADMINS, Role.VENDOR_AT_TENANT)),
    Business.TICKET: ((), (*_TENANT_ADMINS, *_VENDORS)),
    Business.OWN_TICKET: ((), (*_USERS, *_VENDORS)),
    Business.OPEN: (_EVERYBODY, ()),
}
#: The app's own servers: no tenant's admin may see them, and the vendor only where he looks at the app.
EXPECTED_OF_SHARED = ((Role.VENDOR,), (*_TENANT_ADMINS, Role.VENDOR_AT_TENANT))

PAGES: Mapping[str, Business] = {
    "static": Business.OPEN,
    "arrival": Business.OPEN,
    "list_servers": Business.ADMIN,
    "add_server": Business.ADMIN,
    "set_up": Business.ADMIN,
    "check_set_up": Business.ADMIN,
    "test_unsaved": Business.ADMIN,
    "switch_sending": Business.ADMIN,
    "use_builtin": Business.ADMIN,
    "adopt_builtin": Business.BUILTIN,
    "confirm_arrival": Business.ADMIN,
    "read_pasted": Business.ADMIN,
    "show_history": Business.ADMIN,
    "export_servers": Business.ADMIN,
    "help_index": Business.ADMIN,
    "help_page": Business.ADMIN,
    "used_for": Business.ADMIN,
    "assign_kinds": Business.ADMIN,
    "which_server": Business.ADMIN,
    "personal_servers": Business.ADMIN,
    "test_report": Business.TICKET,
    "self_check": Business.APP,
    "health": Business.APP,
    "test_result": Business.SERVER,
    "edit_server": Business.SERVER,
    "change_password": Business.SERVER,
    "remove_server": Business.SERVER,
    "enable_server": Business.SERVER,
    "pause_server": Business.SERVER,
    "default_server": Business.SERVER,
    "move_server": Business.SERVER,
    "test_server": Business.SERVER,
    "waiting_change": Business.SERVER,
    "test_change": Business.SERVER,
    "use_change": Business.SERVER,
    "discard_change": Business.SERVER,
    "server_history": Business.SERVER,
    "restore_server": Business.SERVER,
    "client_settings": Business.SERVER,
    "trust_certificate": Business.SERVER,
    "suspend_personal_server": Business.PERSONAL,
    "resume_personal_server": Business.PERSONAL,
    "my_servers": Business.OWN,
    "my_add_server": Business.OWN,
    "my_set_up": Business.OWN,
    "my_check_set_up": Business.OWN,
    "my_test_unsaved": Business.OWN,
    "my_confirm_arrival": Business.OWN,
    "my_read_pasted": Business.OWN,
    "my_show_history": Business.OWN,
    "my_export_servers": Business.OWN,
    "my_help_index": Business.OWN,
    "my_help_page": Business.OWN,
    "confirm_address": Business.OWN_TICKET,
    "prove_address": Business.OWN_SERVER,
    "my_test_result": Business.OWN_SERVER,
    "my_edit_server": Business.OWN_SERVER,
    "my_change_password": Business.OWN_SERVER,
    "my_remove_server": Business.OWN_SERVER,
    "my_enable_server": Business.OWN_SERVER,
    "my_pause_server": Business.OWN_SERVER,
    "my_default_server": Business.OWN_SERVER,
    "my_test_server": Business.OWN_SERVER,
    "my_waiting_change": Business.OWN_SERVER,
    "my_test_change": Business.OWN_SERVER,
    "my_use_change": Business.OWN_SERVER,
    "my_discard_change": Business.OWN_SERVER,
    "my_server_history": Business.OWN_SERVER,
    "my_restore_server": Business.OWN_SERVER,
}

#: What a form must say to be taken seriously; a page that finds nothing wrong with an empty one is not here.
FORMS: Mapping[str, dict[str, str]] = {
    "move_server": {"direction": "up"},
    "switch_sending": {"on": "1"},
    "trust_certificate": {"certificate": "sha256:" + "AB" * 32},
}

ACCEPTS: Mapping[str, str] = {"HTML": "text/html", "JSON": "application/json"}


@dataclass(frozen=True)
class Cell:
    """One page, asked for by one person in one way."""

    endpoint: str
    method: str
    role: Role
    accept: str
    shared: bool = False


def rules(site: Host) -> list[Rule]:
    """Every rule of the blueprint."""
    return [rule for rule in site.app.url_map.iter_rules() if rule.endpoint.startswith("smtpservers.")]


def name_of(rule: Rule) -> str:
    return rule.endpoint.removeprefix("smtpservers.")


def business_of(rule: Rule) -> Business:
    """Say whose business a page is; one for a server may also be for what stands in a form."""
    business = PAGES[name_of(rule)]
    about_one = bool({"server_id", "trial_id"} & rule.arguments)
    if business is Business.SERVER and not about_one:
        return Business.ADMIN
    return business


def methods_of(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def expected(rule: Rule, role: Role, *, shared: bool = False) -> str:
    """Say what the table wants."""
    business = business_of(rule)
    reached, missing = EXPECTED_OF_SHARED if shared else EXPECTED[business]
    if role in reached:
        return REACHED
    if role in missing:
        return MISSING
    return LOGIN if role is Role.NOBODY else DENIED


class Asking:
    """Asks a host that is furnished with servers of everybody."""

    def __init__(self, site: Host) -> None:
        self.site = with_login(site)
        self.browsers: dict[Role, Browser] = {}
        self.tokens: dict[Role, str] = {}
        self.furniture: dict[str, Furniture] = {}

    def begin(self) -> None:
        """Give everybody a server, and a browser with a token."""
        self.furniture = furnish(self.site)
        for role, (name, looks_at) in PLAYERS.items():
            self.browsers[role] = person(self.site, name, looks_at=looks_at)
            self.tokens[role] = self.browsers[role].token()

    def address(self, rule: Rule, whose: str, **instead: str) -> str:
        """Fill in the address of a page with what belongs to somebody."""
        nothing = {"ticket": "nobody-has-this", "token": "nobody-has-this"}
        if name_of(rule) == "arrival":
            nothing = {"token": self.furniture["acme"].arrival}
        values = {
            **nothing,
            "server_id": self.furniture[whose].server_id,
            "trial_id": self.furniture[whose].trial_id,
            "entry": self.furniture[whose].entry,
            "provider_id": "gmail",
            "filename": "smtpservers.css",
            **instead,
        }
        filled = {name: values[name] for name in rule.arguments}
        return self.site.app.url_map.bind("localhost").build(rule.endpoint, filled, method=methods_of(rule)[0])

    def ask(
        self, rule: Rule, method: str, role: Role, accept: str, *, whose: str, instead: Mapping[str, str] | None = None
    ) -> TestResponse:
        """Ask as a person of this role, with a valid token."""
        data: dict[str, Any] | None = None
        if method == "POST":
            data = {"csrf_token": self.tokens[role], **FORMS.get(name_of(rule), {})}
        address = self.address(rule, whose, **(instead or {}))
        headers = {"Accept": ACCEPTS[accept]}
        return self.browsers[role].client.open(address, method=method, data=data, headers=headers, buffered=True)

    def prepare(self, rule: Rule, whose: str) -> dict[str, str]:
        """Make what the next answer uses up: a server to be removed, or a change of one that waits for its test."""
        with self.site.app.app_context():
            if name_of(rule).endswith("remove_server"):
                return {"server_id": a_server(self.site, whose, name="For the bin").public_id}
            if name_of(rule).endswith("_change"):
                server_id, scope = self.furniture[whose].server_id, SCOPES[whose]
                self.site.state.store.propose(server_id, {"timeout_seconds": 20}, scope=scope)
        return {}

    def clear(self, whose: str, instead: Mapping[str, str]) -> None:
        """Remove what was made for one answer and is still there."""
        for server_id in instead.values():
            with self.site.app.app_context(), suppress(ServerNotFound):
                self.site.smtp.remove_server(server_id, scope=SCOPES[whose])


def outcome(answer: TestResponse) -> str:
    """Say what an answer amounts to."""
    if answer.status_code == 302 and (answer.location or "").startswith("/login"):
        return LOGIN
    return {403: DENIED, 404: MISSING}.get(answer.status_code, REACHED)


def whose_server(rule: Rule, *, shared: bool) -> str:
    """Say whose server stands in the address of a page."""
    if shared:
        return "shared"
    own = business_of(rule) in (Business.OWN_SERVER, Business.PERSONAL)
    return "ann" if own else "acme"


def lines(found: Mapping[Cell, str]) -> Iterator[str]:
    """Print what was found: one line for each page and method, one column for each role; HTML and JSON agree."""
    yield "| page | about | " + " | ".join(Role) + " |"
    yield "|" + "---|" * (2 + len(Role))
    rows = sorted({(cell.endpoint, cell.method, cell.shared) for cell in found}, key=str)
    for endpoint, method, shared in rows:
        cells = []
        for role in Role:
            both = {found[Cell(endpoint, method, role, accept, shared)] for accept in ACCEPTS}
            cells.append("/".join(sorted(both)))
        about = "the app's server" if shared else str(PAGES.get(endpoint, "")).removeprefix("about ")
        yield f"| {method} {endpoint} | {about} | " + " | ".join(cells) + " |"
