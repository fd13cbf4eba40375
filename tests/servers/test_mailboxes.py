"""Mailboxes as people type them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_smtpservers.safe_text import BLANKS
from flask_smtpservers.servers.mailboxes import address_key, check_address, format_mailbox, split_mailbox


@given(st.text(), st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9-]{1,20}\.[a-z]{2,5}", fullmatch=True))
@example("Doe, John", "j@d.org")
@example('a "b" \\ c', "j@d.org")
@example(" <x@y> ", "j@d.org")
@example("\\", "j@d.org")
def test_name_and_address_round_trip(name: str, address: str) -> None:
    """What is shown in one field comes back as exactly the same two parts."""
    assert split_mailbox(format_mailbox(name, address)) == (name, address)


@given(st.text())
def test_any_text_can_be_split_and_compared(text: str) -> None:
    """Neither taking apart nor comparing ever raises; checking raises nothing but its sentence."""
    split_mailbox(text)
    address_key(text)
    try:
        checked = check_address(text)
    except ValueError as error:
        assert str(error)
    else:
        assert check_address(checked) == checked


@pytest.mark.parametrize(
    ("shown", "name"),
    [("John <j@d.org>", "John"), ("Doe & Sons <j@d.org>", "Doe & Sons"), ('"Doe, John" <j@d.org>', "Doe, John"),
     ('"Acme Inc." <j@d.org>', "Acme Inc."), ("j@d.org", "")],
)  # fmt: skip
def test_names_are_quoted_only_where_needed(shown: str, name: str) -> None:
    """Plain names stand without quotes."""
    assert format_mailbox(name, "j@d.org") == shown


@pytest.mark.parametrize(
    ("one", "other"),
    [("J.Doe@D.org", "j.doe@d.org"), ("j@bücher.example", "j@XN--bcher-kva.example"), (" j@d.org", "j@d.org")],
)
def test_equal_addresses_have_the_same_key(one: str, other: str) -> None:
    """Looking up heeds neither case nor the way a domain is written."""
    assert address_key(one) == address_key(other)


def test_blanks_include_what_nobody_sees() -> None:
    """No-break and zero-width blanks count as blanks, as does the mark that some editors put first."""
    assert all(sign in BLANKS for sign in " \t\r\n\u00a0\u2009\u200b\u3000\ufeff")
