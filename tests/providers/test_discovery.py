"""From an address to its server, over real TLS on loopback: the stages, their order, and what is never done."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

import pytest

from flask_smtpservers.errors import MissingExtraError
from flask_smtpservers.providers.candidate import Candidate, Source, Trust
from flask_smtpservers.providers.discovery import Timing
from flask_smtpservers.providers.ispdb import IspdbService, ispdb_at
from flask_smtpservers.providers.parallel import Crew
from flask_smtpservers.providers.probe import ProbeLimits
from flask_smtpservers.smtp.ehlo import machine_name
from flask_smtpservers.smtp.endpoint import Security
from flask_smtpservers.smtp.guard import Guard

from .world import World, page

M365 = "smtp.office365.com"


def way(candidate: Candidate | None) -> tuple[str, int, str]:
    assert candidate is not None
    return candidate.host, candidate.port, str(candidate.security)


# -- guesses
def test_guess_ssl(world: World) -> None:
    """With nothing published, ``smtp.`` at port 465 is found; what EHLO said there is kept."""
    world.ssl("smtp.example.org")
    found = world.discover()
    best = found.best
    assert best is not None
    assert way(best) == ("smtp.example.org", 465, "ssl")
    assert (best.source, best.trust, best.verified, best.username) == (Source.GUESS, Trust.LOW, True, "me@example.org")
    assert (best.mechanisms, best.size_limit, best.smtputf8) == (("PLAIN", "LOGIN"), 35882577, True)
    assert best.takes_passwords
    assert (best.confirm, best.note, found.reason) == ("", "", "")


def test_guess_starttls(world: World) -> None:
    """``mail.`` at port 587 is found too; the mechanisms are those after TLS, not those offered before."""
    world.starttls("mail.example.org")
    best = world.discover().best
    assert way(best) == ("mail.example.org", 587, "starttls")
    assert best is not None
    assert best.mechanisms == ("PLAIN", "LOGIN")


def test_guess_only_if_nothing_verified(world: World) -> None:
    """Nobody is bothered with guesses while something better was verified."""
    world.srv(("out.example.org", 587))
    world.starttls("out.example.org")
    world.ssl("smtp.example.org")
    assert way(world.discover().best) == ("out.example.org", 587, "starttls")
    assert len(world.dialled) == 1


def test_a_guess_without_sign_in(world: World) -> None:
    """A guessed host that offers no sign-in is where mail is received; it is not an answer."""
    world.starttls("mail.example.org", ehlo="250 mail.example.org")
    assert world.discover().candidates == ()


def test_nothing_found(world: World) -> None:
    """Where there is nothing, the reason is a sentence; port 25 was not tried."""
    found = world.discover()
    assert found.candidates == ()
    assert "example.org" in found.reason
    world.names["smtp.example.org"] = ["8.8.4.9"]
    world.discover()
    assert {port for _, port in world.dialled} == {465, 587}


# -- MX
@pytest.mark.parametrize(
    ("exchange", "server", "provider"),
    [
        ("example-org.mail.protection.outlook.com", ("smtp.office365.com", 587, "starttls"), "microsoft365"),
        ("example-org.o-v1.mx.microsoft.", ("smtp.office365.com", 587, "starttls"), "microsoft365"),
        ("SMTP.GOOGLE.COM", ("smtp.gmail.com", 465, "ssl"), "google-workspace"),
        ("alt1.aspmx.l.google.com", ("smtp.gmail.com", 465, "ssl"), "google-workspace"),
        ("mx.zoho.eu", ("smtp.zoho.eu", 465, "ssl"), "zoho"),
    ],
)
def test_mx_names_the_provider(world: World, exchange: str, server: tuple[str, int, str], provider: str) -> None:
    """Who receives a domain's mail is recognised, in its region; a person confirms that it is also who sends it."""
    world.mx(exchange, "backup.example.net")
    (world.ssl if server[1] == 465 else world.starttls)(server[0], server[1])
    best = world.discover().best
    assert way(best) == server
    assert best is not None
    assert best.provider is not None
    assert best.provider.id == provider
    assert (best.source, best.trust, best.verified) == (Source.MX_PRESET, Trust.MEDIUM, True)
    assert best.provider.name in best.confirm


@pytest.mark.parametrize(
    "exchange",
    [".", "mx-eu.mail.am0.yahoodns.net", "mxa.mailgun.org", "eu-smtp-inbound-1.mimecast.com", "mx1.pphosted.com",
     "d1.ess.barracudanetworks.com", "mx.example.org", "10.0.0.1", "localhost", "a..b"],
)  # fmt: skip
def test_mx_says_nothing(world: World, exchange: str) -> None:
    """A null MX, shared hosts, filters, the domain's own host and nonsense lead to no provider."""
    world.mx(exchange)
    found = world.discover()
    assert found.provider is None
    assert found.candidates == ()


def test_a_filter_is_said(world: World) -> None:
    """If a filter stands in front, a sentence says so."""
    world.mx("eu-smtp-inbound-1.mimecast.com")
    assert any("filter" in note for note in world.discover().notes)


def test_only_the_best_mx_counts(world: World) -> None:
    """A backup MX elsewhere does not make that firm the provider."""
    world.mx("mx.example.org", "example-org.mail.protection.outlook.com")
    assert world.discover().provider is None


def test_mx_without_smtp(world: World) -> None:
    """A firm that offers no SMTP is named as the reason."""
    world.mx("mail.tutanota.de")
    found = world.discover()
    assert "Tuta" in found.reason
    assert found.notes == ()


def test_mx_where_no_password_is_taken(world: World) -> None:
    """A firm that takes no password is the reason; its server is not offered, and the search goes on."""
    world.mx("example-org.olc.protection.outlook.com")
    found = world.discover()
    assert found.candidates == ()
    assert "OAuth2" in found.reason
    world.ssl("smtp.example.org")
    assert way(world.discover().best) == ("smtp.example.org", 465, "ssl")


def test_mx_unreachable(world: World) -> None:
    """If nothing can be reached from here, the provider's settings are still offered, as unchecked."""
    world.mx("example-org.mail.protection.outlook.com")
    best = world.discover().best
    assert way(best) == (M365, 587, "starttls")
    assert best is not None
    assert not best.verified
    assert "could not be checked" in best.note


# -- SRV
def test_srv_inside(world: World) -> None:
    """A target under the domain is of medium trust, and needs no confirmation; implicit TLS comes first."""
    world.srv(("out.example.org", 465), service="_submissions._tcp")
    world.srv(("out.example.org", 587))
    world.ssl("out.example.org")
    world.starttls("out.example.org")
    best = world.discover().best
    assert best is not None
    assert way(best) == ("out.example.org", 465, "ssl")
    assert (best.source, best.trust, best.confirm) == (Source.SRV, Trust.MEDIUM, "")


def test_srv_outside(world: World) -> None:
    """A target outside the domain is of low trust, and a person is asked, with both names in full."""
    world.srv(("mail.hoster.net", 587))
    world.starttls("mail.hoster.net")
    best = world.discover().best
    assert best is not None
    assert (best.source, best.trust) == (Source.SRV, Trust.LOW)
    assert best.confirm == "example.org says its mail goes out through mail.hoster.net. Is that your provider?"


def test_srv_order(world: World) -> None:
    """The target with the least priority wins; the other is an alternative only if it was seen by then."""
    world.srv(("a.example.org", 587), ("b.example.org", 587))
    world.starttls("a.example.org")
    world.starttls("b.example.org")
    found = world.discover()
    assert way(found.best) == ("a.example.org", 587, "starttls")
    assert all(candidate.verified for candidate in found.candidates)


@pytest.mark.parametrize(
    ("host", "port"),
    [("out.example.org", 6379), ("out.example.org", 443), ("localhost", 587), ("10.0.0.1", 587), ("db.internal", 587)],
)
def test_srv_dropped(world: World, host: str, port: int) -> None:
    """Ports that are no mail ports, addresses and names of inner networks are not even dialled."""
    world.srv((host, port))
    world.starttls(host, port)
    assert world.discover().candidates == ()
    assert world.dialled == []


def test_srv_declined(world: World) -> None:
    """The target ``.`` says that the service is not offered: it is not guessed either."""
    world.srv((".", 0))
    world.starttls("smtp.example.org")
    assert world.discover().candidates == ()
    assert {port for _, port in world.dialled} == {465}


# -- autoconfig
def test_autoconfig(world: World) -> None:
    """The domain's own page counts more than its MX; a host outside is to be confirmed."""
    world.autoconfig("mail.hoster.net 465 SSL")
    world.mx("example-org.mail.protection.outlook.com")
    world.ssl("mail.hoster.net")
    world.starttls(M365)
    best = world.discover().best
    assert best is not None
    assert way(best) == ("mail.hoster.net", 465, "ssl")
    assert (best.source, best.trust, best.username) == (Source.AUTOCONFIG, Trust.MEDIUM, "me@example.org")
    assert "mail.hoster.net" in best.confirm


def test_autoconfig_places(world: World) -> None:
    """Both places are asked, over HTTPS and without the address; the first counts more."""
    world.autoconfig("a.example.org 465 SSL")
    world.autoconfig("b.example.org 465 SSL", well_known=True)
    world.ssl("a.example.org")
    world.ssl("b.example.org")
    assert way(world.discover().best) == ("a.example.org", 465, "ssl")
    fetched = {asked for asked in world.asked if ":" in asked}
    assert fetched == {
        "https://autoconfig.example.org/mail/config-v1.1.xml",
        "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml",
    }


def test_autoconfig_plain(world: World) -> None:
    """A server without encryption is never an answer, and that is said."""
    world.autoconfig("out.example.org 587 plain")
    world.stripped("out.example.org")
    found = world.discover()
    assert (found.candidates, world.dialled) == ((), [])
    assert any("without encryption" in note for note in found.notes)


# -- presets
def test_preset(world: World) -> None:
    """A known domain is not asked anything; its server is probed, and its second port is the alternative."""
    world.ssl("smtp.gmail.com")
    world.starttls("smtp.gmail.com")
    found = world.discover("me@gmail.com")
    best = found.best
    assert best is not None
    assert way(best) == ("smtp.gmail.com", 465, "ssl")
    assert (best.source, best.trust, best.verified, best.confirm) == (Source.PRESET, Trust.HIGH, True, "")
    assert [way(other) for other in found.candidates[1:]] == [("smtp.gmail.com", 587, "starttls")]
    assert world.asked == []


def test_preset_second_port(world: World) -> None:
    """If the first port does not answer the second is taken, and the reason is told."""
    world.starttls("smtp.gmail.com")
    found = world.discover("me@gmail.com")
    assert way(found.best) == ("smtp.gmail.com", 587, "starttls")
    assert any("465" in note for note in found.notes)


def test_preset_that_lies(world: World) -> None:
    """If a preset's servers are not what they should be the search goes on, they are dropped, and that is told."""
    world.ssl("smtp.gmail.com", certificate="stranger.example.net")
    world.stripped("smtp.gmail.com")
    world.autoconfig("out.gmail.com 465 SSL", domain="gmail.com")
    world.ssl("out.gmail.com")
    found = world.discover("me@gmail.com")
    assert [way(candidate) for candidate in found.candidates] == [("out.gmail.com", 465, "ssl")]
    assert any("certificate" in note and "smtp.gmail.com" in note for note in found.notes)
    assert any("encryption" in note and "smtp.gmail.com" in note for note in found.notes)


def test_preset_that_lies_and_nothing_else(world: World) -> None:
    """A known server with a stranger's certificate is not even shown as unchecked."""
    world.ssl("smtp.gmail.com", certificate="stranger.example.net")
    world.stripped("smtp.gmail.com")
    found = world.discover("me@gmail.com")
    assert found.candidates == ()
    assert found.reason


@pytest.mark.parametrize("mode", ["network", "offline"])
def test_preset_that_cannot_be_used(world: World, mode: str) -> None:
    """Where it is known that no password is taken, or no SMTP offered, that is said before anything is asked."""
    hotmail = world.discover("me@hotmail.com", mode=mode)
    assert hotmail.best is not None
    assert "OAuth2" in hotmail.best.note
    tuta = world.discover("me@tuta.com", mode=mode)
    assert tuta.candidates == ()
    assert "does not offer SMTP" in tuta.reason
    assert (world.asked, world.dialled) == ([], [])


def test_offline(world: World) -> None:
    """Offline, nothing is asked and nothing dialled; what is not known is not found."""
    found = world.discover("me@gmail.com", mode="offline")
    assert way(found.best) == ("smtp.gmail.com", 465, "ssl")
    assert found.best is not None
    assert not found.best.verified
    assert world.discover("me@example.org", mode="offline").reason
    assert (world.asked, world.dialled) == ([], [])


# -- the operator's database
def test_ispdb_directory(world: World, tmp_path: Path) -> None:
    """The operator's directory counts more than what the domain says; each file answers for all its domains."""
    (tmp_path / "hoster.net.xml").write_bytes(page("mail.hoster.net 465 SSL", domains=("hoster.net", "example.org")))
    world.ssl("mail.hoster.net")
    world.autoconfig("out.example.org 465 SSL")
    best = world.discover(ispdb=ispdb_at(tmp_path)).best
    assert best is not None
    assert way(best) == ("mail.hoster.net", 465, "ssl")
    assert (best.source, best.trust, best.confirm) == (Source.ISPDB, Trust.HIGH, "")
    assert world.asked == []
    assert way(world.discover(ispdb=ispdb_at(tmp_path), mode="offline").best) == ("mail.hoster.net", 465, "ssl")


@pytest.mark.parametrize("kind", ["directory", "service"])
def test_ispdb_by_mx(world: World, tmp_path: Path, kind: str) -> None:
    """The host that receives the mail leads to its firm's entry, by the longest part of its name."""
    (tmp_path / "hoster.net").write_bytes(page("mail.hoster.net 465 SSL", domains=("hoster.net",)))
    world.pages["https://db.example.com/v1/hoster.net"] = page("mail.hoster.net 465 SSL")
    world.mx("mx1.in.hoster.net")
    world.ssl("mail.hoster.net")
    place = ispdb_at(tmp_path) if kind == "directory" else IspdbService("https://db.example.com/v1/")
    best = world.discover(ispdb=place).best
    assert best is not None
    assert (best.host, best.source, best.trust) == ("mail.hoster.net", Source.MX_ISPDB, Trust.MEDIUM)
    assert best.confirm


def test_ispdb_service(world: World) -> None:
    """A service is asked by domain, only about domains that no preset knows, and counts more than the domain."""
    world.pages["https://db.example.com/v1/example.org"] = page("mail.hoster.net 465 SSL")
    world.autoconfig("out.example.org 465 SSL")
    world.ssl("mail.hoster.net")
    world.ssl("out.example.org")
    service = IspdbService("https://db.example.com/v1")
    best = world.discover(ispdb=service).best
    assert best is not None
    assert (best.host, best.source) == ("mail.hoster.net", Source.ISPDB)
    world.asked.clear()
    world.ssl("smtp.gmail.com")
    world.discover("me@gmail.com", ispdb=service)
    assert world.asked == []


# -- what is verified
@pytest.mark.parametrize("kind", ["other-name", "starttls-other-name", "unknown-authority", "stripped"])
def test_no_result(world: World, kind: str) -> None:
    """A certificate for another name or of nobody known, and a stripped STARTTLS, give no result."""
    if kind == "other-name":
        world.ssl("smtp.example.org", certificate="smtp.example.net")
    elif kind == "starttls-other-name":
        world.starttls("smtp.example.org", certificate="smtp.example.net")
    elif kind == "unknown-authority":
        world.ssl("smtp.example.org")
    else:
        world.stripped("smtp.example.org")
    found = world.discover(**({"ca_file": None} if kind == "unknown-authority" else {}))
    assert found.candidates == ()
    assert any("certificate" in note for note in found.notes) == (kind != "stripped")


@pytest.mark.parametrize(
    "ips",
    [["10.0.0.1"], ["100.64.0.1"], ["169.254.169.254"], ["127.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::a00:1"],
     ["2002:a00:1::"], ["::1"], ["fd00::1"], ["224.0.0.1"], ["8.8.4.4", "10.0.0.1"]],
)  # fmt: skip
def test_inner_addresses(world: World, ips: list[str]) -> None:
    """A name that leads inside, with any of its addresses, is never dialled, whoever named it."""
    for host in ("smtp.example.org", "out.example.org", "mail.hoster.net"):
        world.names[host] = ips
    world.srv(("out.example.org", 587))
    world.autoconfig("mail.hoster.net 465 SSL")
    found = world.discover()
    assert (found.candidates, world.dialled) == ((), [])
    assert not any(ip in note for note in (*found.notes, found.reason) for ip in ips)


def test_names_that_the_operator_allows(world: World) -> None:
    """A short name that admins may type cannot be reached through somebody's records."""
    world.srv(("relay", 587))
    world.starttls("relay")
    found = world.discover(guard=Guard(["127.0.0.0/8"], allowed_hosts=["relay"]))
    assert (found.candidates, world.dialled) == ((), [])


def test_never_by_the_hosts_file(world: World) -> None:
    """A name that the operator lists for the hosts file is looked up like any other when somebody's records name it."""
    world.ssl("smtp.example.org")
    assert world.discover(guard=Guard(allowed_hosts=["smtp.example.org"])).best
    assert world.local_names == []


@pytest.fixture
def telling_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose name says something of the network it stands in."""
    machine_name.cache_clear()
    monkeypatch.setattr(socket, "gethostname", lambda: "secret-name.inner.example.net")
    yield
    machine_name.cache_clear()


@pytest.mark.usefixtures("telling_name")
def test_never_a_credential(world: World) -> None:
    """Whatever is found, nothing but EHLO, STARTTLS and QUIT is said; the address and our name stay here."""
    world.ssl("smtp.gmail.com", certificate="stranger.example.net")
    world.starttls("smtp.gmail.com")
    world.autoconfig("out.example.org 465 SSL")
    world.ssl("out.example.org")
    world.srv(("out.example.org", 587))
    world.starttls("out.example.org")
    world.discover("secret-name@gmail.com")
    world.discover("secret-name@example.org")
    words = {"EHLO", "STARTTLS", "QUIT"}
    assert words <= world.verbs
    assert {verb for verb in world.verbs if verb.isascii() and verb.isalpha()} == words  # the rest is TLS
    heard = b"".join(server.received for server in world.servers)
    assert b"AUTH" not in heard
    assert b"secret-name" not in heard
    assert {line for line in heard.split(b"\r\n") if line.startswith(b"EHLO")} == {b"EHLO [127.0.0.1]"}
    assert not any("secret-name" in asked for asked in world.asked)


def test_only_tokens(world: World) -> None:
    """A server that takes only access tokens is found, with a sentence that a password will not do."""
    world.ssl("smtp.example.org", ehlo="250-x\n250 AUTH XOAUTH2 OAUTHBEARER")
    best = world.discover().best
    assert best is not None
    assert best.takes_passwords is False
    assert "OAuth2" in best.note


# -- time
def test_mute_servers(world: World) -> None:
    """Five servers that say nothing cost one time-out, not five."""
    for host in ("a", "b", "c", "d", "e"):
        world.mute(f"{host}.example.org", 587)
    world.srv(("a.example.org", 587), ("b.example.org", 587))
    world.autoconfig("c.example.org 587 STARTTLS", "d.example.org 587 STARTTLS", "e.example.org 587 STARTTLS")
    started = time.monotonic()
    found = world.discover(timing=Timing(probe=ProbeLimits(reply=1.0)))
    assert found.candidates == ()
    assert 0.9 < time.monotonic() - started < 2.5
    assert len(world.dialled) == 5


def test_the_wall_clock(world: World) -> None:
    """Whatever hangs, the search ends in time with what is known."""
    world.mute("smtp.gmail.com", 465, 587)
    world.slow |= {"gmail.com", "_submission._tcp.gmail.com", "_submissions._tcp.gmail.com"}
    started = time.monotonic()
    found = world.discover("me@gmail.com", timing=Timing(lookups=0.4, total=1.2, probe=ProbeLimits(reply=0.6)))
    assert time.monotonic() - started < 2.0
    assert way(found.best) == ("smtp.gmail.com", 465, "ssl")
    assert found.best is not None
    assert not found.best.verified
    assert any("in time" in note for note in found.notes)


def test_slow_answers_are_left_behind(world: World) -> None:
    """After the time for questions the answers at hand are used; a slow one holds nobody up for longer."""
    world.slow.add("example.org")
    world.srv(("out.example.org", 587))
    world.starttls("out.example.org")
    started = time.monotonic()
    found = world.discover(timing=Timing(lookups=0.7))
    assert way(found.best) == ("out.example.org", 587, "starttls")
    assert time.monotonic() - started < 3
    assert any("Not every question" in note for note in found.notes)


def test_the_stop_rule(world: World) -> None:
    """A better answer that may still come is waited for; a worse one is not."""
    world.autoconfig("out.example.org 465 SSL")
    world.ssl("out.example.org")
    world.slow.add("example.org")  # the MX, which ranks below
    started = time.monotonic()
    assert way(world.discover(timing=Timing(lookups=5)).best) == ("out.example.org", 465, "ssl")
    assert time.monotonic() - started < 3


def test_at_most_so_many_at_once(world: World) -> None:
    """The number of connections at once is bounded; the others take their turn."""
    world.ssl("mail.example.org")
    assert way(world.discover(timing=Timing(connections=1)).best) == ("mail.example.org", 465, "ssl")


# -- what is missing
def test_without_the_library(world: World) -> None:
    """Without the DNS library its questions are skipped, the result says so, and the others go on."""
    missing = MissingExtraError("discovery")
    world.mails["example.org"] = missing
    world.services |= dict.fromkeys(["_submission._tcp.example.org", "_submissions._tcp.example.org"], missing)
    world.autoconfig("out.example.org 465 SSL")
    world.ssl("smtp.example.org")
    found = world.discover()
    assert way(found.best) == ("smtp.example.org", 465, "ssl")
    assert set(found.skipped) == {Source.MX_PRESET, Source.SRV}
    assert [note for note in found.notes if "flask-smtpservers[discovery]" in note]


def test_broken_dns(world: World) -> None:
    """Name servers that do not answer are told of, once."""
    world.mails["example.org"] = world.services["_submission._tcp.example.org"] = OSError("no answer")
    found = world.discover()
    assert len([note for note in found.notes if "in time" in note]) == 1


def test_a_defect_is_not_hidden(world: World) -> None:
    """An error that nobody expected comes out, whichever thread it was raised in."""
    world.mails["example.org"] = RuntimeError("a defect")
    with pytest.raises(RuntimeError, match="a defect"):
        world.discover()


def test_one_server_two_sources(world: World) -> None:
    """What two sources name is probed once, and stands under the better one."""
    world.autoconfig("out.example.org 587 STARTTLS")
    world.srv(("out.example.org", 587))
    world.starttls("out.example.org")
    found = world.discover()
    assert [(candidate.source, candidate.security) for candidate in found.candidates] == [
        (Source.AUTOCONFIG, Security.STARTTLS)
    ]
    assert len(world.dialled) == 1


def test_alternatives(world: World, tmp_path: Path) -> None:
    """At most three alternatives are shown besides the best."""
    servers = [f"s{n}.example.org 465 SSL" for n in range(4)]
    (tmp_path / "gmail.com.xml").write_bytes(page(*servers, domains=("gmail.com",)))
    found = world.discover("me@gmail.com", ispdb=ispdb_at(tmp_path), mode="offline")
    assert [candidate.source for candidate in found.candidates] == [Source.PRESET] * 2 + [Source.ISPDB] * 2


# -- the crew
def test_a_crew_is_bounded() -> None:
    """No more jobs run at once than there is room for, and each gets its turn."""
    lock, running, most = threading.Lock(), [0], [0]

    def job() -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        return True

    crew: Crew[bool] = Crew(2)
    for _ in range(6):
        crew.start(job)
    assert [crew.next(5) for _ in range(6)] == [True] * 6
    assert crew.next(0) is None
    assert most == [2]


def test_a_crew_keeps_the_context() -> None:
    """Jobs speak the language of who started them: it is in the context."""
    language: ContextVar[str] = ContextVar("language", default="none")
    language.set("xx")
    crew: Crew[str] = Crew(1)
    crew.start(language.get)
    assert crew.next(5) == "xx"


def test_a_crew_stops() -> None:
    """What waits when it is stopped is never begun."""
    begun: list[int] = []
    gate = threading.Event()
    crew: Crew[object] = Crew(1)
    crew.start(lambda: gate.wait(5))
    crew.start(lambda: begun.append(1))
    crew.stop()
    gate.set()
    assert crew.next(5) is True
    assert crew.next(0.05) is None
    assert begun == []
