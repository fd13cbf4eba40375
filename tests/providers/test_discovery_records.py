"""What is concluded from records, as tables."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.providers.address import MailAddress, ascii_name, is_domain
from flask_smtpservers.providers.candidate import DISCOVERED_PORTS, Source, Trust, from_preset
from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.providers.records import (
    FILTERS,
    MX,
    SRV,
    Incoming,
    declines,
    from_srv,
    guesses,
    incoming,
)
from flask_smtpservers.smtp.endpoint import Security

ME = MailAddress("me", "example.org")


def test_the_best_mx() -> None:
    """The least preference counts, whatever the order of the records."""
    assert incoming([MX(20, "b.net"), MX(10, "A.net."), MX(30, "c.net")]) == Incoming("a.net")
    assert incoming([]) == incoming([MX(0, ".")]) == incoming([MX(0, "")]) == Incoming()
    assert incoming([MX(10, "x.pphosted.com")]).filtered
    assert not incoming([MX(10, "xpphosted.com")]).filtered


def test_filters_are_no_providers() -> None:
    """No firm is both a filter, from which nothing follows, and a preset, from which everything does."""
    assert [suffix for suffix in FILTERS if packaged().provider_of_mx(suffix)] == []
    suffixes = [suffix for one in packaged().providers for suffix in one.mx]
    assert [suffix for suffix in suffixes if any(suffix.endswith(f".{one}") for one in FILTERS)] == []


def test_general_knowledge() -> None:
    """A preset that nobody has checked is trusted less; servers without encryption, or to fill in, are left out."""
    gmail = packaged().provider("gmail")
    assert gmail is not None
    for evidence, trust in (("vendor", Trust.HIGH), ("unverified", Trust.MEDIUM)):
        one = replace(gmail, evidence=(evidence,))
        found = from_preset(ME, one, one.servers, source=Source.PRESET, trust=Trust.HIGH)
        assert [candidate.trust for candidate in found] == [trust, trust]
    odd = [replace(gmail.servers[0], host="{region}.example.com"), replace(gmail.servers[0], security=Security.NONE)]
    assert from_preset(ME, gmail, odd, source=Source.PRESET, trust=Trust.HIGH) == []


def test_srv_order() -> None:
    """Least priority first, then greatest weight; at most four."""
    records = [
        SRV(2, 0, 587, "d.org"),
        SRV(1, 5, 587, "b.org"),
        SRV(1, 9, 587, "A.example.org."),
        SRV(1, 1, 587, "c.org"),
    ]
    found = from_srv(ME, "_submission._tcp", [*records, SRV(3, 0, 587, "e.org")])
    assert [candidate.host for candidate in found] == ["a.example.org", "b.org", "c.org", "d.org"]
    assert [candidate.trust for candidate in found] == [Trust.MEDIUM, Trust.LOW, Trust.LOW, Trust.LOW]
    assert {candidate.security for candidate in found} == {Security.STARTTLS}


def test_srv_security() -> None:
    """The service's name says what encryption is meant, never the port; implicit TLS ranks first."""
    starttls = from_srv(ME, "_submission._tcp", [SRV(0, 0, 465, "a.example.org")])
    ssl = from_srv(ME, "_submissions._tcp", [SRV(9, 0, 587, "a.example.org")])
    assert (starttls[0].security, ssl[0].security) == (Security.STARTTLS, Security.SSL)
    assert ssl[0].rank < starttls[0].rank


def test_declined() -> None:
    """Only ``.`` alone says no; no record says nothing."""
    assert declines([SRV(0, 0, 0, ".")])
    assert not declines([])
    assert not declines([SRV(0, 0, 0, "."), SRV(0, 0, 587, "a.org")])


def test_guesses() -> None:
    """Six guesses, implicit TLS first, never port 25; what the domain declines is not among them."""
    every = list(guesses(ME))
    assert [(guess.host, guess.port) for guess in every] == [
        (host, port) for port in (465, 587) for host in ("smtp.example.org", "mail.example.org", "example.org")
    ]
    assert {guess.security for guess in guesses(ME, [Security.SSL])} == {Security.STARTTLS}
    assert list(guesses(ME, [Security.SSL, Security.STARTTLS])) == []


names = st.text(max_size=40) | st.from_regex(r"[a-z0-9.\-_]{0,40}", fullmatch=True)


@given(st.lists(st.builds(SRV, st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 65535), names), max_size=9))
def test_any_srv(records: list[SRV]) -> None:
    """Whatever the records say, only full names and mail ports come out, and never more than four."""
    found = from_srv(ME, "_submission._tcp", records)
    assert len(found) <= 4
    assert all(candidate.port in DISCOVERED_PORTS and "." in candidate.host for candidate in found)


@given(st.lists(st.builds(MX, st.integers(0, 65535), names), max_size=5))
def test_any_mx(records: list[MX]) -> None:
    """Whatever the records say, what comes out is one of the preferred names, in its one form, or nothing."""
    found = incoming(records)
    best = min((record.preference for record in records), default=0)
    named = {ascii_name(record.exchange) for record in records if record.preference == best}
    assert found.host in {"", *named}
    assert not found.host or is_domain(found.host)
    assert not (found.filtered and found.host)
