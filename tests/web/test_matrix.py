"""Table A: who may do what, walked over every address of the blueprint, for HTML and JSON."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apps import Host

from . import matrix, tenants
from .conftest import MakeSite
from .matrix import ACCEPTS, PAGES, Asking, Business, Cell, Role

UNKNOWN = "0123456789abcdef" * 2


@pytest.fixture
def asking(make_site: MakeSite) -> Asking:
    """Everybody at his browser; with limits that do not matter here."""
    site = make_site(**tenants.MAKING, SMTPSERVERS_TESTS_PER_HOUR=10_000, SMTPSERVERS_TEST_DEADLINE_SECONDS=0.2)
    return Asking(site)


def cells(site: Host) -> Iterator[tuple[matrix.Rule, Cell]]:
    for rule in matrix.rules(site):
        about_one = bool({"server_id", "trial_id"} & rule.arguments)
        of_app = matrix.business_of(rule) is Business.SERVER and about_one
        for method in matrix.methods_of(rule):
            for role in Role:
                for accept in ACCEPTS:
                    yield rule, Cell(matrix.name_of(rule), method, role, accept)
                    if of_app:
                        yield rule, Cell(matrix.name_of(rule), method, role, accept, shared=True)


def test_every_page_is_in_the_table(asking: Asking) -> None:
    """A new page must say whose business it is, and one that is gone must not stay."""
    assert {matrix.name_of(rule) for rule in matrix.rules(asking.site)} == set(PAGES)


def test_the_matrix(asking: Asking) -> None:
    """Everybody asks for everything. ``pytest -s`` prints the table."""
    asking.begin()
    found: dict[Cell, str] = {}
    wrong: list[str] = []
    for rule, cell in cells(asking.site):
        whose = matrix.whose_server(rule, shared=cell.shared)
        instead = asking.prepare(rule, whose) if cell.method == "POST" or "change" in rule.rule else {}
        found[cell] = matrix.outcome(
            asking.ask(rule, cell.method, cell.role, cell.accept, whose=whose, instead=instead)
        )
        asking.clear(whose, instead)
        if found[cell] != (wanted := matrix.expected(rule, cell.role, shared=cell.shared)):
            wrong.append(f"{cell}: {found[cell]}, not {wanted}")
    print("\n" + "\n".join(matrix.lines(found)))  # noqa: T201 - for the closing note
    assert not wrong, "\n".join(wrong)


def test_foreign_and_unknown_ids_are_the_same_404(asking: Asking) -> None:
    """Byte for byte, so that nobody learns which servers there are elsewhere; and the same as of any unknown page."""
    asking.begin()
    for role in (Role.USER_FOREIGN, Role.ADMIN_FOREIGN):
        asking.browsers[role].get("/")  # from now on their cookies stay as they are
    elsewhere = asking.browsers[Role.ADMIN_FOREIGN].client.get("/nothing-here")
    asked = 0
    for rule in matrix.rules(asking.site):
        names = {"server_id", "trial_id"} & rule.arguments
        if not names:
            continue
        own = matrix.business_of(rule) is Business.OWN_SERVER
        role = Role.USER_FOREIGN if own else Role.ADMIN_FOREIGN
        foreign_ones = ("ann", "shared", "acme") if own else ("acme", "shared", "ben")
        if matrix.business_of(rule) is Business.PERSONAL:
            foreign_ones = ("acme", "shared", "ann", "bolt")
        for method in matrix.methods_of(rule):
            for accept in ACCEPTS:
                unknown = asking.ask(rule, method, role, accept, whose="bolt", instead=dict.fromkeys(names, UNKNOWN))
                assert (unknown.status_code, unknown.data) == (404, elsewhere.data), rule
                for whose in foreign_ones:
                    foreign = asking.ask(rule, method, role, accept, whose=whose)
                    assert (foreign.status_code, foreign.data) == (404, unknown.data), (rule, whose)
                    assert foreign.headers.to_wsgi_list() == unknown.headers.to_wsgi_list(), (rule, whose)
                    asked += 1
    assert asked > 100


def test_what_is_denied_says_nothing_of_what_there_is(asking: Asking) -> None:
    """Neither the page for those who are refused, nor that for those who see their own, names anybody else's server."""
    asking.begin()
    for rule in matrix.rules(asking.site):
        for role in (Role.NOBODY, Role.BOT, Role.USER_FOREIGN, Role.ADMIN_FOREIGN):
            page = asking.ask(rule, matrix.methods_of(rule)[0], role, "HTML", whose="acme").get_data(as_text=True)
            assert "Server of acme" not in page or matrix.name_of(rule) == "arrival", (rule, role)
            assert "Server of ann" not in page, (rule, role)


def stored(site: Host) -> dict[str, list[object]]:
    """Everything that the database holds."""
    with site.app.app_context(), site.db.engine.connect() as connection:
        tables = site.db.metadata.sorted_tables
        return {table.name: [tuple(row) for row in connection.execute(table.select())] for table in tables}


def buttons(asking: Asking) -> Iterator[tuple[matrix.Rule, Role, str]]:
    """Every change, with somebody who may make it, and whose server it is about."""
    for rule in matrix.rules(asking.site):
        for role in (Role.ADMIN_OWN, Role.USER_OWN):
            if "POST" in matrix.methods_of(rule) and matrix.expected(rule, role) in (matrix.REACHED, matrix.MISSING):
                yield rule, role, matrix.whose_server(rule, shared=False)


FORGERIES = {
    "no token": (None, {}),
    "a wrong token": ("IjEyMyI.aR0.x", {}),
    "somebody else's token": ("another session", {}),
    "from another site": ("right", {"Origin": "https://evil.example"}),
    "from another site, says the browser": ("right", {"Sec-Fetch-Site": "cross-site"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_no_change_without_a_valid_token(asking: Asking, forgery: str) -> None:
    """C01 and C03, for every button of the administration and of one's own pages."""
    asking.begin()
    token, headers = FORGERIES[forgery]
    before, asked = stored(asking.site), 0
    for rule, role, whose in buttons(asking):
        sent = {"right": asking.tokens[role], "another session": asking.tokens[Role.BOT]}.get(token or "", token)
        data = {**matrix.FORMS.get(matrix.name_of(rule), {}), **({"csrf_token": sent} if sent else {})}
        client = asking.browsers[role].client
        assert client.post(asking.address(rule, whose), data=data, headers=headers).status_code == 400, rule
        asked += 1
    assert asked > 40
    assert stored(asking.site) == before


def test_no_change_with_a_token_that_is_too_old(make_site: MakeSite) -> None:
    asking = Asking(make_site(**tenants.MAKING, WTF_CSRF_TIME_LIMIT=-1))
    asking.begin()
    before = stored(asking.site)
    for rule, role, whose in buttons(asking):
        assert asking.ask(rule, "POST", role, "HTML", whose=whose).status_code == 400, rule
    assert stored(asking.site) == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_nothing_changes_but_by_post(asking: Asking, method: str) -> None:
    """C02: where there is only a button, 405; where there is a page, it only shows. The arrival of a mail counts."""
    asking.begin()
    before = stored(asking.site)
    taken = {(rule.rule, one) for rule in matrix.rules(asking.site) for one in rule.methods or ()}
    for rule in matrix.rules(asking.site):
        if matrix.name_of(rule) == "static" or (matrix.name_of(rule) == "arrival" and method == "GET"):
            continue
        for role in (Role.ADMIN_OWN, Role.USER_OWN):
            address = asking.address(rule, matrix.whose_server(rule, shared=False))
            answer = asking.browsers[role].client.open(address, method=method, buffered=True)
            if (rule.rule, method) not in taken:  # "/me/test" might be the test of a server called "me"
                assert answer.status_code in (403, 404, 405), rule
    assert stored(asking.site) == before
