"""Certificates that end soon, on the list and above the form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme

from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.smtp.endpoint import Security
from flask_smtpservers.web.expiry import endings
from tests.apps import Host

from .browser import Browser, words

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def server(ends: datetime | None = None, *, fingerprint: str = "", client: str = "") -> ServerProfile:
    return ServerProfile(
        public_id="a" * 32,
        name="Shop",
        host="mail.example.test",
        port=465,
        security=Security.SSL,
        address="shop@example.test",
        certificate_expires_at=ends,
        certificate_fingerprint=fingerprint,
        client_certificate=client,
    )


@pytest.mark.parametrize(
    ("left", "kind", "text"),
    [
        (-400 * DAY, "urgent", "ended on 27 March 2025."),
        (timedelta(0), "urgent", "ended on 1 May."),
        (timedelta(hours=23), "urgent", "ends within a day, on 2 May."),
        (DAY, "urgent", "ends within a day, on 2 May."),
        (DAY + timedelta(hours=1), "warning", "ends in 1 day, on 2 May."),
        (7 * DAY, "warning", "ends in 7 days, on 8 May."),
        (7 * DAY + timedelta(hours=1), "notice", "ends in 7 days, on 8 May."),
        (30 * DAY, "notice", "ends in 30 days, on 31 May."),
    ],
)
def test_thirty_seven_and_one_day_before(left: timedelta, kind: str, text: str) -> None:
    """Each nearer end in a stronger word and another shape."""
    (ending,) = endings(server(NOW + left), now=NOW)
    assert (ending.kind, ending.text) == (kind, f"The server's certificate {text}")


@pytest.mark.parametrize("ends", [None, NOW + 30 * DAY + timedelta(seconds=1)])
def test_nothing_is_said_without_need(ends: datetime | None) -> None:
    """Not before the thirtieth day, nor of a certificate that nobody has seen."""
    assert endings(server(ends), now=NOW) == ()


def test_a_trusted_one_must_be_renewed_by_a_person() -> None:
    """Whereas an authority's is mostly renewed by itself, so that another test may show a new one."""
    (machine,) = endings(server(NOW + DAY * 5), now=NOW)
    (person,) = endings(server(NOW + DAY * 5, fingerprint="SHA256:00"), now=NOW)
    assert "Test it again" in machine.advice
    assert "trust the new one" in person.advice


def test_the_client_certificate_as_well() -> None:
    """Both are told; one that cannot be read is the self-check's business."""
    issued = trustme.CA().issue_cert("me@example.test", not_after=NOW + 3 * DAY, not_before=NOW - DAY)
    pem = issued.cert_chain_pems[0].bytes().decode()
    both = endings(server(NOW + DAY * 20, client=pem), now=NOW)
    assert [ending.kind for ending in both] == ["notice", "warning"]
    assert both[1].text.startswith("The client certificate ends in ")
    assert endings(server(client="no certificate"), now=NOW) == ()


def test_the_list_and_the_form_say_it(site: Host, admin: Browser, shop: str) -> None:
    """As soon as a test has noted it."""
    with site.app.app_context():
        profile = site.state.store.get(shop)
        site.state.store.record_test(profile, True, "", certificate_expires_at=datetime.now(UTC) + 5 * DAY)
        site.state.store.commit()
    for path in ("/", f"/{shop}/edit"):
        page = words(admin.get(path))
        assert "The server's certificate ends in 4 days" in page
        assert "Test it again" in page
