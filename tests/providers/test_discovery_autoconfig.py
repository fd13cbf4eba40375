"""Reading pages of settings: what they say, and that nothing they say can do harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.errors import ConfigurationError
from flask_smtpservers.providers.address import MailAddress
from flask_smtpservers.providers.autoconfig import Autoconfig, autoconfig_urls, read_autoconfig
from flask_smtpservers.providers.candidate import DISCOVERED_PORTS
from flask_smtpservers.providers.ispdb import IspdbDirectory, IspdbService, ispdb_at, shorter_names

from .world import page

ME = MailAddress("me", "example.org")

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="example.org">
    <domain>example.org</domain> <domain>EXAMPLE.net</domain> <domain>not a domain</domain>
    <displayName>Example</displayName>
    <incomingServer type="imap"><hostname>imap.example.org</hostname><port>993</port><socketType>SSL</socketType>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname> SMTP.%EMAILDOMAIN% </hostname><port>587</port><socketType>STARTTLS</socketType>
      <username>%EMAILLOCALPART%</username><authentication>password-cleartext</authentication>
      <novelty><deep/></novelty>
    </outgoingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.example.org</hostname><port>465</port><socketType>SSL</socketType>
      <authentication>OAuth2</authentication><authentication>password-cleartext</authentication>
    </outgoingServer>
    <outgoingServer type="smtp">
      <hostname>relay.example.org</hostname><port>25</port><socketType>STARTTLS</socketType>
      <username>%EMAILADDRESS%</username><authentication>client-IP-address</authentication>
    </outgoingServer>
    <outgoingServer type="exchange"><hostname>ews.example.org</hostname><port>465</port><socketType>SSL</socketType>
    </outgoingServer>
  </emailProvider>
  <webMail/>
</clientConfig>"""


def read(text: str | bytes, me: MailAddress = ME) -> Autoconfig | None:
    return read_autoconfig(text.encode() if isinstance(text, str) else text, me)


def test_a_page() -> None:
    """Servers come in the page's order, placeholders filled in; what is unknown or of another kind is left out."""
    found = read(PAGE)
    assert found is not None
    assert [(server.host, server.port, str(server.security), server.username) for server in found.servers] == [
        ("smtp.example.org", 587, "starttls", "me"),
        ("smtp.example.org", 465, "ssl", "me@example.org"),
        ("relay.example.org", 25, "starttls", ""),
    ]
    assert found.domains == ("example.org", "example.net")
    assert not found.unencrypted


def test_where() -> None:
    """Pages are looked for at two places, over HTTPS, without the address."""
    assert all(url.startswith("https://") and "@" not in url and "?" not in url for url in autoconfig_urls("a.org"))


@pytest.mark.parametrize(
    "server",
    ["smtp.example.org 465 plain", "smtp.example.org 465 ", "smtp.example.org 6379 SSL", "smtp.example.org -465 SSL",
     "smtp.example.org ٤٦٥ SSL", "smtp.example.org 465.0 SSL", "127.0.0.1 465 SSL", "localhost 465 SSL", "a..b 465 SSL",
     "redis.internal 465 SSL", "%EMAILLOCALPART% 465 SSL", "%REALNAME%.example.org 465 SSL", "http://x.org 465 SSL"],
)  # fmt: skip
def test_dropped_servers(server: str) -> None:
    """No encryption, other ports and other hosts than those of mail servers on the internet are left out."""
    host, port, kind = server.split(" ")
    text = page("H P K").decode().replace(">H<", f">{host}<").replace(">P<", f">{port}<").replace(">K<", f">{kind}<")
    found = read(text)
    assert found is not None
    assert found.servers == ()


def test_unencrypted() -> None:
    """A page that knows only servers without encryption says so; one with a choice does not."""
    assert read(page("a.example.org 25 plain")) == Autoconfig((), ("example.org",), True)
    both = read(page("a.example.org 25 plain", "b.example.org 465 SSL"))
    assert both is not None
    assert not both.unencrypted
    assert [server.host for server in both.servers] == ["b.example.org"]


def test_not_too_many() -> None:
    """A page cannot make us connect to a hundred hosts."""
    found = read(page(*(f"a{n}.example.org 465 SSL" for n in range(100))))
    assert found is not None
    assert len(found.servers) == 4


@pytest.mark.parametrize(("username", "expected"), [
    ("%EMAILADDRESS%", "100%EMAILDOMAIN%@example.org"), ("%REALNAME%", ""), ("x" * 300, ""), ("a\nb", ""),
    ("fix", "fix"),
])  # fmt: skip
def test_usernames(username: str, expected: str) -> None:
    """Unknown placeholders and odd texts leave the field empty; what the address holds is no placeholder."""
    text = page("a.example.org 465 SSL").decode().replace("%EMAILADDRESS%", username)
    found = read(text, MailAddress("100%EMAILDOMAIN%", "example.org"))
    assert found is not None
    assert found.servers[0].username == expected


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"<html><body>404</body></html>", b"<clientConfig>", b"{}", BOMB.encode() + PAGE.encode(),
     f"<!-- --><!doctype html>{PAGE}".encode(), PAGE.replace("<clientConfig", f"{BOMB}<clientConfig").encode(),
     (BOMB + PAGE).encode("utf-16"), (BOMB + PAGE).encode("utf-16-le"), (BOMB + PAGE).encode("utf-32"),
     PAGE.encode("utf-16"), PAGE.replace("Example<", "&file;<").encode(), PAGE.encode() + b" " * 70000],
)  # fmt: skip
def test_no_page(content: bytes) -> None:
    """What is no page of settings, holds a DTD in any encoding, or is too large, is none."""
    assert read(content) is None


def test_encodings() -> None:
    """A byte-order mark, and Latin-1 in a name, do not matter; a declared encoding is not obeyed."""
    for encoded in (PAGE.encode("utf-8-sig"), PAGE.replace("Example<", "Exämple<").encode("latin-1"),
                    PAGE.replace("UTF-8", "UTF-7").encode(), PAGE.replace("UTF-8", "no-such").encode()):  # fmt: skip
        found = read(encoded)
        assert found is not None
        assert len(found.servers) == 3


def test_deep_nesting() -> None:
    """As deep as a page of the largest size can be, it is read or refused, and the process lives."""
    depth = 9000
    assert read("<a>" * depth + "</a>" * depth) is None
    inner = "<b>" * depth + "</b>" * depth
    found = read(PAGE.replace("<deep/>", inner))
    assert found is not None
    assert len(found.servers) == 3


def checked(content: bytes) -> None:
    found = read_autoconfig(content, ME)
    if found is not None:
        for server in found.servers:
            assert server.port in DISCOVERED_PORTS
            assert "." in server.host
            assert server.username.isprintable()


@given(st.binary(max_size=400))
def test_any_bytes(content: bytes) -> None:
    """Reading never raises."""
    checked(content)


FRAGMENTS = [
    *("<clientConfig>", "</clientConfig>", "<emailProvider>", "</emailProvider>", "</outgoingServer>", "<?xml?>"),
    *('<outgoingServer type="smtp">', "<hostname>", "</hostname>", "<port>", "</port>", "<socketType>SSL</socketType>"),
    *("465", "smtp.example.org", "%EMAILDOMAIN%", "&#0;", "&amp;", "<![CDATA[", "]]>", "<!--", "-->", "\ud800"),
]


@given(
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=40),
    st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
def test_any_markup(fragments: list[str], encoding: str) -> None:
    """Nor does it for anything that looks like a page."""
    checked("".join(fragments).encode(encoding, "ignore"))


@given(
    st.text(max_size=30),
    st.text(max_size=8),
    st.sampled_from(["SSL", "STARTTLS", "plain", "ssl "]),
    st.text(max_size=20),
)
def test_any_values(host: str, port: str, kind: str, username: str) -> None:
    """Nor for a well-formed page with any values."""
    from xml.sax.saxutils import escape

    text = page("H P K").decode()
    for mark, value in ((">H<", host), (">P<", port), (">K<", kind), (">%EMAILADDRESS%<", username)):
        text = text.replace(mark, f">{escape(value)}<")
    checked(text.encode("utf-8", "replace"))


# -- the operator's database
def test_the_database_is_named(tmp_path) -> None:
    """It is a directory or begins with https://; anything else is a mistake of the operator's, and is said."""
    assert isinstance(ispdb_at(tmp_path), IspdbDirectory)
    service = ispdb_at("https://db.example.com/v1.1/")
    assert isinstance(service, IspdbService)
    assert service.url("a.org") == "https://db.example.com/v1.1/a.org"
    for wrong in ("http://db.example.com", str(tmp_path / "missing")):
        with pytest.raises(ConfigurationError, match="must be a directory"):
            ispdb_at(wrong)


def test_the_directory(tmp_path) -> None:
    """A file answers for its own name and for the domains it lists; broken and large files are passed over."""
    (tmp_path / "b.org.xml").write_bytes(page("x.b.org 465 SSL", domains=("b.org", "c.org", "a.org")))
    (tmp_path / "a.org").write_bytes(page("x.a.org 465 SSL", domains=("c.org",)))
    (tmp_path / "bad.org").write_text("<nothing")
    (tmp_path / "large.org").write_bytes(page("x.a.org 465 SSL") + b" " * 70000)
    (tmp_path / "sub").mkdir()
    found = ispdb_at(tmp_path)
    assert isinstance(found, IspdbDirectory)
    names = {domain: (found.page(domain) or b"")[:0] for domain in ("a.org", "b.org", "c.org")}
    assert set(names) == {"a.org", "b.org", "c.org"}
    assert b"x.a.org" in (found.page("a.org") or b"")
    assert b"x.a.org" in (found.page("c.org") or b"")
    assert b"x.b.org" in (found.page("b.org") or b"")
    assert [found.page(domain) for domain in ("bad.org", "large.org", "sub", "../a.org")] == [None] * 4


def test_shorter_names() -> None:
    """An MX host is shortened from the left, down to two labels."""
    assert list(shorter_names("x.olc.protection.outlook.com")) == [
        "olc.protection.outlook.com", "protection.outlook.com", "outlook.com"
    ]  # fmt: skip
    assert list(shorter_names("a.org")) == []
