"""The test message on the wire: one author, whatever his name looks like."""

from __future__ import annotations

import email
import email.policy
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_smtpservers.errors import MessageRefused
from flask_smtpservers.mailbox import decoded, mailbox
from flask_smtpservers.sending.trial_message import trial_message
from flask_smtpservers.servers.profile import ServerProfile
from flask_smtpservers.smtp.endpoint import Security
from tests.apps import Host, server_fields
from tests.peers.mailbox import Mailbox

ADDRESS = "shop@example.test"

#: Names that would become a second author if they were written, folded or encoded carelessly.
NAMES = {
    "folded": "Boss <boss@bank.example>, " + "x" * 60,
    "encoded": "=?utf-8?b?PGJvc3NAYmFuay5leGFtcGxlPiw=?= Shop (ü)",
    "plain": "Boss <boss@bank.example>,",
    "quoted": '"Boss" <boss@bank.example>, "Shop',
    "backslash": 'Boss\\" <boss@bank.example>, \\',
    "group": "Bosses: boss@bank.example;",
    "comment": "Boss (boss@bank.example",
}


def authors(content: bytes) -> list[list[tuple[str, str]]]:
    """Read From as two different readers do: the old parser and the new one."""
    old = email.message_from_bytes(content, policy=email.policy.compat32)
    new = email.message_from_bytes(content, policy=email.policy.default)
    assert len(old.get_all("From", [])) == 1
    strict = [(_close(one.display_name), one.addr_spec) for one in new["From"].addresses]
    return [[(_close(decoded(name)), address) for name, address in getaddresses([old["From"]])], strict]


def _close(name: str) -> str:
    """Leave the blanks out: the new parser of older Pythons reads one between two encoded-words."""
    return "".join(name.split())


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_name_of_a_server_is_no_second_author(host: Host, mailbox: Mailbox, name: str) -> None:
    """From the stored server to what the mail server got."""
    with host.app.app_context():
        profile = host.smtp.add_server(**server_fields(mailbox, sender_name=name))
        steps = list(host.smtp.check(profile, recipient="ann@example.test"))
    assert steps[-1].state == "ok"
    (letter,) = mailbox.letters
    assert letter.sender == ADDRESS
    for found in authors(letter.content):
        ((shown, address),) = found
        assert address == ADDRESS
        assert shown == _close(decoded(name))


PIECES = st.sampled_from(
    ["<boss@bank.example>", ",", ";", ":", '"', "\\", "(", ")", "=?utf-8?b?PGJvc3NAYmFuay5leGFtcGxlPiw=?=", "=?", "?="]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | TEXTS | st.sampled_from(["x" * 60, "ü" * 40]), max_size=8).map(" ".join))
def test_no_name_is_a_second_author(name: str) -> None:
    try:
        sender = mailbox(name, ADDRESS)
    except MessageRefused:
        return
    server = ServerProfile(
        public_id="1", name="Shop", host="mail.example.test", port=587, security=Security.STARTTLS, address=ADDRESS
    )
    content = trial_message(sender=sender, recipient="ann@example.test", reply_to="", app_name="App", server=server)
    head = content.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    for found in authors(content):
        ((shown, address),) = found
        assert address == ADDRESS
        assert shown == _close(sender.name)
