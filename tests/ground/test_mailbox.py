"""One set of rules for addresses: what a form takes can be sent, and what cannot be sent no form takes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_smtpservers.errors import MessageRefused
from flask_smtpservers.mailbox import Fault, Mailbox, NotAnAddress, addr_spec, mailbox, parse_address, parse_mailbox
from flask_smtpservers.servers.mailboxes import check_address
from flask_smtpservers.smtp.envelope import path_of

GOOD = {
    "billing@example.com": "billing@example.com",
    "J.Doe+tag@Example.COM": "J.Doe+tag@example.com",
    "jörg@example.test": "jörg@example.test",
    "jo\u0308rg@example.test": "jörg@example.test",
    "用户@例え.jp": "用户@xn--r8jz45g.jp",
    "अजय@डाटा.भारत": "अजय@xn--c2bd1gb.xn--h2brj9c",
    "θσερ@εχαμπλε.ψομ": "θσερ@xn--mxahbxey0c.xn--xxaf0a",
    "j@Bücher.example": "j@xn--bcher-kva.example",
    "j@faß.de": "j@xn--fa-hia.de",
    "j@XN--BCHER-KVA.example": "j@xn--bcher-kva.example",
    "root@localhost": "root@localhost",
    "app@host.local": "app@host.local",
    "j@mail.test": "j@mail.test",
    "j@r3---sn.example": "j@r3---sn.example",
    "o'brien/x=y#z@d.org": "o'brien/x=y#z@d.org",
    "❤.me@d.org": "❤.me@d.org",
    f"{'x' * 64}@d.org": f"{'x' * 64}@d.org",
    f"{'ö' * 32}@d.org": f"{'ö' * 32}@d.org",
    f"{'x' * 64}@{'d' * 63}.{'e' * 63}.{'f' * 61}": f"{'x' * 64}@{'d' * 63}.{'e' * 63}.{'f' * 61}",
}

BAD = {
    "": Fault.SHAPE,
    "joe": Fault.SHAPE,
    "@d.org": Fault.SHAPE,
    "joe@": Fault.SHAPE,
    "a%b@x.org": Fault.ROUTE,
    "a!b@x.org": Fault.ROUTE,
    "a\uff05b@x.org": Fault.ROUTE,
    "a\uff01b@x.org": Fault.ROUTE,
    "a@b@x.org": Fault.LOCAL,
    "a\uff20b@x.org": Fault.LOCAL,
    "a\u2026b@x.org": Fault.LOCAL,
    "\u0308a@x.org": Fault.LOCAL,
    "a.\u0301b@x.org": Fault.LOCAL,
    "a\u200bö@x.org": Fault.LOCAL,
    "a\u00a0ö@x.org": Fault.LOCAL,
    "a\u3000b@x.org": Fault.LOCAL,
    "a\ue000@x.org": Fault.LOCAL,
    "a\u202eb@x.org": Fault.LOCAL,
    '"a b"@x.org': Fault.LOCAL,
    '"a"@x.org': Fault.LOCAL,
    "a b@x.org": Fault.LOCAL,
    " a@x.org": Fault.LOCAL,
    ".a@x.org": Fault.LOCAL,
    "a.@x.org": Fault.LOCAL,
    "a..b@x.org": Fault.LOCAL,
    "=?utf-8?q?a?=@x.org": Fault.LOCAL,
    "b.=?utf-8?q?a?=.c@x.org": Fault.LOCAL,
    "a(b)@x.org": Fault.LOCAL,
    "<a@x.org": Fault.LOCAL,
    "a@x.org>": Fault.DOMAIN,
    "a@x..org": Fault.DOMAIN,
    "a@x.org.": Fault.DOMAIN,
    "a@-x.org": Fault.DOMAIN,
    "a@x_y.org": Fault.DOMAIN,
    "a@127.0.0.1": Fault.DOMAIN,
    "a@[300.0.0.1]": Fault.DOMAIN,
    "a@xn--99999.org": Fault.DOMAIN,
    "a@x\uff20y.org": Fault.DOMAIN,
    "a@ex℀mple.org": Fault.DOMAIN,
    "a@x.org ": Fault.DOMAIN,
    f"a@{'d' * 64}.org": Fault.DOMAIN,
    f"a@{'ü' * 300}": Fault.DOMAIN,
    f"{'x' * 65}@d.org": Fault.LOCAL_TOO_LONG,
    f"{'ö' * 33}@d.org": Fault.LOCAL_TOO_LONG,
    f"{'x' * 64}@{'d' * 63}.{'e' * 63}.{'f' * 62}": Fault.TOO_LONG,
    "a\r\nb@x.org": Fault.CONTROL,
    "a@x.org\n": Fault.CONTROL,
    "a\x85@x.org": Fault.CONTROL,
    "a\u2028@x.org": Fault.CONTROL,
    "a\ud800@x.org": Fault.CONTROL,
}


@pytest.mark.parametrize(("text", "stored"), GOOD.items(), ids=ascii)
def test_what_the_form_takes_is_sent(text: str, stored: str) -> None:
    """The form's domain is in lower-case A-labels; sending takes what was typed as well as what was stored."""
    assert check_address(text) == stored
    assert parse_address(stored) == stored
    assert parse_address(text).casefold() == stored.casefold()
    assert path_of(stored).text == stored


@pytest.mark.parametrize(("text", "fault"), BAD.items(), ids=ascii)
def test_what_is_refused_is_refused_everywhere(text: str, fault: Fault) -> None:
    """The form and sending refuse the same; each says so in a sentence that can be shown."""
    with pytest.raises(NotAnAddress) as caught:
        addr_spec(text)
    assert caught.value.fault is fault
    with pytest.raises(ValueError, match=r"\.$") as refused:
        check_address(text)
    assert not isinstance(refused.value, NotAnAddress)
    if text == text.strip(" "):
        with pytest.raises(MessageRefused):
            parse_address(text)


@pytest.mark.parametrize("text", ["a@[127.0.0.1]", "a@[IPv6:::1]", "jörg@[10.0.0.1]"])
def test_ip_addresses_are_for_sending_only(text: str) -> None:
    """A message may go to one; a server's sender has none, for nobody could look anything up about it."""
    assert parse_address(text) == text
    with pytest.raises(ValueError, match="not an IP address"):
        check_address(text)


#: Texts near enough to addresses that many are one.
NEAR = st.builds(
    "{}@{}".format,
    st.text(st.one_of(st.sampled_from("abcXYZ019._+-'%!@\"\\ =?"), st.characters()), max_size=70),
    st.one_of(
        st.sampled_from(["d.org", "localhost", "host.local", "[127.0.0.1]", "Bücher.example", "例え.jp"]),
        st.text(st.one_of(st.sampled_from("abcXYZ019.-_"), st.characters()), max_size=70),
    ),
)


@given(st.one_of(NEAR, st.text()))
@example("a\u0344b@d.org")
@example("\u0958@d.org")
def test_whatever_the_form_takes_can_be_sent(text: str) -> None:
    """Stored once, an address stays as it is: in the form, in a message, in a pair, and in the SMTP command."""
    try:
        stored = check_address(text)
    except ValueError:
        return
    assert check_address(stored) == parse_address(stored) == stored
    assert path_of(stored).text == stored
    assert path_of(stored).needs_utf8 is not Mailbox("", stored).is_ascii
    assert mailbox("Doe, J", stored) == parse_mailbox(str(Mailbox("Doe, J", stored)))
    assert stored.rpartition("@")[2].isascii()
