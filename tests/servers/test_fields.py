"""The rules for the fields of a server, as form, API and command line share them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography import x509

from flask_smtpservers.config import Settings
from flask_smtpservers.errors import InvalidServer, PasswordRequired
from flask_smtpservers.secret import Secret
from flask_smtpservers.servers.fields import Cleaned, FieldRules, clean
from flask_smtpservers.servers.profile import ForeignSender, SenderPolicy, ServerProfile, StoredSecret
from flask_smtpservers.smtp.endpoint import Security

RULES = FieldRules()
NEW: dict[str, Any] = {"host": "smtp.example.com", "address": "billing@example.com"}
BASE = ServerProfile(
    public_id="1" * 32,
    name="Invoices",
    host="smtp.example.com",
    port=587,
    security=Security.STARTTLS,
    username="billing@example.com",
    password=StoredSecret("token"),
    address="billing@example.com",
    sender_name="Acme",
)


def new(**fields: Any) -> Cleaned:
    return clean({**NEW, **fields}, base=None, rules=RULES)


def edit(*, base: ServerProfile = BASE, rules: FieldRules = RULES, **fields: Any) -> Cleaned:
    return clean(fields, base=base, rules=rules)


def wrong(*, base: ServerProfile | None = None, rules: FieldRules = RULES, **fields: Any) -> dict[str, tuple[str, ...]]:
    """The errors of these fields."""
    with pytest.raises(InvalidServer) as caught:
        clean(fields if base else {**NEW, **fields}, base=base, rules=rules)
    return caught.value.fields


def pem(ca: trustme.CA) -> str:
    return ca.cert_pem.bytes().decode()


# -- all together


@pytest.mark.parametrize("name", ["Built-in", "BUILT-IN", " built-in ", "\uff22uilt\u200b-in"])
def test_the_name_of_the_apps_own_server_is_taken(name: str) -> None:
    """Whoever asks for "Built-in" means that one."""
    sentence = "The app's own mail server is called “Built-in”. Choose another name."
    assert wrong(name=name) == {"name": (sentence,)}
    assert wrong(base=BASE, name=name) == {"name": (sentence,)}


def test_defaults_of_a_new_server() -> None:
    """Server and sending address are enough; the rest has safe defaults, and the name is taken from the host."""
    cleaned = new()
    assert cleaned.values == {
        "name": "smtp.example.com",
        "host": "smtp.example.com",
        "port": 587,
        "security": Security.STARTTLS,
        "username": "",
        "auth_mechanism": "",
        "address": "billing@example.com",
        "sender_name": "",
        "sender_format": "{name}",
        "sender_policy": SenderPolicy.KEEP,
        "foreign_sender": ForeignSender.KEEP,
        "allowed_senders": (),
        "reply_to": "",
        "timeout_seconds": 10.0,
        "max_connections": 0,
        "pipelining": True,
        "ca_certificate": "",
        "certificate_fingerprint": "",
        "client_certificate": "",
        "enabled": True,
        "draft": False,
        "is_default": False,
        "provider": "",
    }
    assert cleaned.name_proposed
    assert cleaned.notices == cleaned.warnings == ()


def test_all_errors_come_at_once() -> None:
    """Every wrong field has its sentence, none hides another."""
    errors = wrong(
        host="", port="x", security="tls", address="", timeout_seconds="0", sender_format="{x}", sender_policy="x",
        reply_to="x", username="a\nb", password="b\nc", ca_certificate="x", enabled="maybe", position="-1", name="\0",
    )  # fmt: skip
    assert set(errors) == {
        "host", "port", "security", "address", "timeout_seconds", "sender_format", "sender_policy", "reply_to",
        "username", "password", "ca_certificate", "enabled", "position", "name",
    }  # fmt: skip


def test_unknown_fields_are_refused() -> None:
    """Nobody sets what is no field: neither a misspelt one nor a column (mass assignment)."""
    for name in ("hots", "public_id", "version", "password_token", "test_passed"):
        assert name in wrong(**{name: "x"})


def test_absent_fields_keep_their_value() -> None:
    """An edit of one field leaves the others, and the password is not even mentioned."""
    cleaned = edit(name="Bills")
    assert cleaned.values["name"] == "Bills"
    assert cleaned.values["sender_name"] == "Acme"
    assert "password" not in cleaned.values


@pytest.mark.parametrize("name", ["host", "username", "address", "name", "sender_name", "reply_to"])
def test_blanks_around_are_trimmed_with_a_notice(name: str) -> None:
    """Blanks of any kind around pasted text go away, and the notice says where (A33)."""
    value = {"host": "smtp.example.com", "address": "a@example.com", "reply_to": "a@example.com"}.get(name, "value")
    fields = {name: f"\t\u00a0{value} \u200b\n"}
    if name == "username":
        fields["password"] = "x"
    cleaned = new(**fields)
    assert cleaned.values[name] == value
    assert len(cleaned.notices) == 1
    assert cleaned.notices[0].startswith("Blanks around the ")


@pytest.mark.parametrize("bad", [5, 5.0, b"x", ["x"], True])
def test_texts_must_be_texts(bad: object) -> None:
    """A value of another type is an error beside its field, not a traceback."""
    for name in ("name", "host", "username", "password", "address", "ca_certificate", "client_key"):
        fields = {name: bad, **({"client_certificate": "x"} if name == "client_key" else {})}
        assert wrong(**fields)[name] == ("This must be a text.",)


# -- host, port, encryption


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("SMTP.Example.COM", "smtp.example.com"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_good_hosts(host: str, expected: str) -> None:
    """Names are lower-cased, addresses allowed."""
    assert new(host=host).values["host"] == expected


@pytest.mark.parametrize(
    "host",
    [
        "", "a..b", ".", "user@host.example", "host.example/path", "http://host.example", "https://mail.example.com/",
        "-a.test", "a_b.test", "1.2.3.4.", "[::1]", "smtp example.com", "x" * 64 + ".test", ("a" * 50 + ".") * 6 + "x",
        "2130706433", "0x7f.1", "127.1", "bücher.example", "ftp://host.example", "imap://imap.example.com", "smtp://",
        "smtp://u@/x", "smtp://joe.doe:123/x@host.example", "smtp://joe.doe?x@host.example", "host.example:587:1",
        "host\r\nQUIT.example", "localhost", "smtp",
    ],
)  # fmt: skip
def test_bad_hosts(host: str) -> None:
    """What is no host gets one sentence beside the field (S03, S08)."""
    assert len(wrong(host=host)["host"]) == 1


def test_a_name_outside_ascii_shows_its_ascii_form() -> None:
    """The person sees and decides whether the name is the one it looks like."""
    assert "xn--bcher-kva.example" in wrong(host="bücher.example")["host"][0]


def test_operator_may_allow_short_names() -> None:
    """Names without a dot, and localhost, only as the operator's settings say."""
    import ipaddress

    rules = FieldRules.of(
        Settings(allowed_hosts=("mailhost",), allowed_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    )
    for host in ("mailhost", "localhost"):
        assert clean({**NEW, "host": host}, base=None, rules=rules).values["host"] == host
    assert "host" in wrong(host="other", rules=rules)


@pytest.mark.parametrize(
    ("pasted", "host", "port", "security", "username"),
    [
        ("smtp://smtp.example.com:587", "smtp.example.com", 587, "starttls", ""),
        ("smtp.example.com:465", "smtp.example.com", 465, "starttls", ""),
        ("smtps://joe@smtp.example.com:465", "smtp.example.com", 465, "ssl", "joe"),
        ("smtps://smtp.example.com", "smtp.example.com", 465, "ssl", ""),
        ("smtp+starttls://smtp.example.com/?x=1", "smtp.example.com", 587, "starttls", ""),
        ("SUBMISSIONS://SMTP.example.com:2465/path", "smtp.example.com", 2465, "ssl", ""),
        ("smtp://[2001:db8::1]:2525", "2001:db8::1", 2525, "starttls", ""),
        ("smtp://joe%40example.com@smtp.example.com", "smtp.example.com", 2526, "starttls", "joe@example.com"),
    ],
)
def test_a_pasted_server_is_split(pasted: str, host: str, port: int, security: str, username: str) -> None:
    """What was pasted wins over what the other boxes of the form happened to hold (A18)."""
    password = {"password": "x"} if username else {}
    cleaned = new(host=pasted, port="2526", security="starttls", username="", **password)
    values = cleaned.values
    assert (values["host"], values["port"], values["security"], values["username"]) == (host, port, security, username)
    assert "split into its parts" in cleaned.notices[0]


def test_a_typed_user_name_stays_when_a_server_is_pasted() -> None:
    """A user name that was typed is not replaced by one in a pasted URL."""
    assert new(host="smtp://a@smtp.example.com", username="b", password="x").values["username"] == "b"


def test_a_password_in_a_pasted_url_is_used_and_never_shown() -> None:
    """smtp://user:password@host fills in the password; no notice, warning or error repeats it."""
    cleaned = new(host="smtps://joe:p%40ss-CANARY@smtp.example.com")
    assert cleaned.values["password"] == Secret("p@ss-CANARY")
    assert "CANARY" not in repr(cleaned)
    for host in (
        "http://joe:CANARY@smtp.example.com",
        "smtps://joe:CANARY@bad..host",
        "smtp://joe.doe:1/CANARY@host",
        "joe:CANARY@host",
        "CANARY/x",
    ):
        assert "CANARY" not in repr(wrong(host=host))


@pytest.mark.parametrize(
    "port", ["0", "-1", "65536", "2e1", "٢٥", "+25", "2_5", "25.0", 0, 65536, -1, 25.0, True, "0x19"]
)
def test_bad_ports(port: object) -> None:
    """Only whole numbers from 1 to 65535 in ASCII digits (S09)."""
    assert wrong(port=port)["port"] == ("A port is a whole number from 1 to 65535, usually 465 or 587.",)


@pytest.mark.parametrize(("port", "expected"), [("25", 25), (2525, 2525), (" 587 ", 587), ("65535", 65535)])
def test_good_ports(port: object, expected: int) -> None:
    """Numbers and digits, with blanks around them trimmed."""
    assert new(port=port).values["port"] == expected


@pytest.mark.parametrize(("security", "port"), [("ssl", 465), ("starttls", 587), ("none", 25)])
def test_an_empty_port_is_the_usual_one(security: str, port: int) -> None:
    """No port means the usual one for the encryption."""
    for empty in ({}, {"port": ""}, {"port": None}):
        assert new(security=security, **empty).values["port"] == port


def test_the_port_follows_the_encryption_unless_it_was_chosen() -> None:
    """An edit of the encryption alone takes the usual port along, but never one that somebody chose."""
    followed = edit(security="ssl", password="again")
    assert followed.values["port"] == 465
    assert "465" in followed.notices[0]
    chosen = edit(base=replace(BASE, port=2525), security="ssl", password="again")
    assert chosen.values["port"] == 2525


def test_port_465_alone_means_ssl() -> None:
    """Without a word about encryption the port tells; it is never none by default."""
    assert new(port=465).values["security"] is Security.SSL
    assert new(port=25).values["security"] is Security.STARTTLS


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"use_ssl": True}, "ssl"),
        ({"use_tls": True}, "starttls"),
        ({"use_ssl": False}, "starttls"),
        ({"use_ssl": "yes", "use_tls": "no"}, "ssl"),
        ({"use_ssl": False, "use_tls": False}, "none"),
        ({"use_ssl": "1", "security": "ssl"}, "ssl"),
    ],
)
def test_switches_of_flask_mail_are_understood(switches: dict[str, Any], expected: str) -> None:
    """use_ssl and use_tls stand for the encryption, for imports (A24)."""
    assert new(**switches).values["security"] == expected


@pytest.mark.parametrize("switches", [{"use_ssl": True, "use_tls": True}, {"use_ssl": True, "security": "starttls"}])
def test_contradicting_switches_are_refused(switches: dict[str, Any]) -> None:
    """Two different answers about encryption are an error, not a guess."""
    assert "security" in wrong(**switches)


@pytest.mark.parametrize(
    ("security", "port", "correction"),
    [
        ("ssl", 587, {"security": "starttls"}),
        ("ssl", 25, {"security": "starttls"}),
        ("ssl", 2525, {"security": "starttls"}),
        ("starttls", 465, {"security": "ssl"}),
        ("none", 465, {"security": "ssl"}),
        ("ssl", 465, None),
        ("starttls", 587, None),
        ("starttls", 2525, None),
        ("ssl", 2465, None),
    ],
)
def test_a_port_that_does_not_go_with_the_encryption_is_warned_of(
    security: str, port: int, correction: dict[str, str] | None
) -> None:
    """The warning brings its correction, and applying it leaves no warning (A25)."""
    cleaned = new(security=security, port=port)
    assert [warning.correction for warning in cleaned.warnings] == ([correction] if correction else [])
    if correction:
        assert not new(port=port, **correction).warnings


def test_a_domain_instead_of_its_server_is_warned_of() -> None:
    """gmail.com suggests smtp.gmail.com with one click (A19)."""
    (warning,) = new(host="gmail.com").warnings
    assert (warning.field, warning.correction) == ("host", {"host": "smtp.gmail.com"})


# -- user name and password


@pytest.mark.parametrize("typed", ["secret", Secret("secret"), "  secret\u00a0", "\ufeffsecret\r\n"])
def test_a_password_is_trimmed(typed: object) -> None:
    """Blanks and line ends around a pasted password are removed."""
    cleaned = new(username="joe", password=typed)
    assert cleaned.values["password"] == Secret("secret")
    assert len(cleaned.notices) == (typed not in ("secret", Secret("secret")))
    assert "secret" not in repr(cleaned)


def test_blanks_of_a_password_can_be_kept() -> None:
    """With the box ticked, a password that begins or ends with a blank stays as it is."""
    assert new(username="joe", password=" s ", keep_password_blanks=True).values["password"] == Secret(" s ")


@pytest.mark.parametrize(
    "password", ["a\nb", "a\r\nRSET", "a\0b", "a\tb", "a\x85b", "a\u2028b", "a\ud800b", "   ", "x" * 5000]
)
def test_bad_passwords(password: str) -> None:
    """Line breaks, controls, nothing but blanks, and novels are refused (T10t), and not repeated."""
    errors = wrong(username="joe", password=password)
    assert list(errors) == ["password"]
    assert password not in repr(errors)


@pytest.mark.parametrize("password", ["pass wörd", "😀" * 10, "x" * 500, "a\"b\\c'", "env:HOME"])
def test_good_passwords(password: str) -> None:
    """Inner blanks, any letters and 500 characters are fine; from the form, env:HOME is a password like another."""
    assert new(username="joe", password=password).values["password"] == Secret(password)


def test_operators_may_name_an_environment_variable() -> None:
    """env:NAME is a reference from config and command line only."""
    rules = FieldRules(operator=True)
    fields = {**NEW, "username": "joe"}
    cleaned = clean({**fields, "password": " env:SMTP_PASSWORD "}, base=None, rules=rules)
    assert cleaned.values["password"] == StoredSecret(environment="SMTP_PASSWORD")
    assert list(wrong(username="joe", password="env:no way", rules=rules)) == ["password"]


@pytest.mark.parametrize(
    "typed", ["abcd efgh ijkl mnop", "abcd\u00a0efgh\u00a0ijkl\u00a0mnop", " ABCD  efgh ijkl mnop "]
)
def test_a_google_app_password_loses_its_groups(typed: str) -> None:
    """An app password pasted in groups is stored as 16 letters for Google (A29), elsewhere as typed."""
    cleaned = new(host="smtp.gmail.com", username="joe@gmail.com", password=typed)
    assert cleaned.values["password"].reveal().lower() == "abcdefghijklmnop"
    assert not cleaned.warnings
    assert " " in new(username="joe", password="abcd efgh ijkl mnop").values["password"].reveal()


def test_another_google_password_is_warned_of() -> None:
    """What is no app password at Google gives a warning, not an error (A28)."""
    (warning,) = new(host="smtp.gmail.com", username="joe@gmail.com", password="hunter2").warnings
    assert warning.field == "password"
    assert "hunter2" not in repr(warning)


def test_a_bare_user_name_is_warned_of_where_the_address_is_needed() -> None:
    """Gmail wants the whole address as user name; the correction is the sending address (A21)."""
    fields = {"host": "smtp.gmail.com", "password": "abcdefghijklmnop", "address": "joe@gmail.com"}
    (warning,) = new(username="joe", **fields).warnings
    assert (warning.field, warning.correction) == ("username", {"username": "joe@gmail.com"})
    assert not new(username="joe", password="x").warnings


def test_a_password_needs_a_user_name_and_the_reverse() -> None:
    """One without the other is an error beside the missing one."""
    assert list(wrong(password="x")) == ["username"]
    assert list(wrong(username="joe")) == ["password"]
    assert list(wrong(username="joe", password="")) == ["password"]


def test_no_password_without_encryption() -> None:
    """Credentials are not sent in clear text unless the operator allows it (T07t)."""
    fields = {"security": "none", "username": "joe", "password": "x"}
    assert "would send the password unencrypted" in wrong(**fields)["security"][0]
    rules = FieldRules.of(Settings(allow_plaintext_auth=True))
    assert clean({**NEW, **fields}, base=None, rules=rules).values["security"] is Security.NONE
    assert new(security="none").values["security"] is Security.NONE


# -- editing: what the password belongs to


@pytest.mark.parametrize(
    "change",
    [
        {"host": "evil.example"},
        {"port": 2525},
        {"security": "ssl"},
        {"username": "other"},
        {"ca_certificate": "pem"},
        {"auth_mechanism": "CRAM-MD5"},
    ],
)
def test_a_new_destination_demands_the_password_again(change: dict[str, Any], ca: trustme.CA) -> None:
    """A change of each part of the destination alone keeps the stored password from going there (T10)."""
    if "ca_certificate" in change:
        change = {"ca_certificate": pem(ca)}
    for kept in ({}, {"password": ""}):
        with pytest.raises(PasswordRequired) as caught:
            edit(**change, **kept)
        assert list(caught.value.fields) == ["password"]
    assert edit(**change, password="again").values["password"] == Secret("again")


@pytest.mark.parametrize(
    "same",
    [
        {"host": " SMTP.example.com"},
        {"port": "587"},
        {"security": "STARTTLS"},
        {"ca_certificate": " \r\n"},
        {"auth_mechanism": "Automatic"},
        {"name": "x"},
    ],
)
def test_the_same_destination_keeps_the_password(same: dict[str, Any]) -> None:
    """Writing the same thing otherwise is no change."""
    assert "password" not in edit(**same, password="").values


def test_another_sign_in_method_demands_the_password_in_its_own_words() -> None:
    """Whoever only changed the method is not told that the password goes elsewhere; whoever changed more is (T10)."""
    base = replace(BASE, auth_mechanism="CRAM-MD5")
    assert "in another way than before" in wrong(base=base, auth_mechanism="")["password"][0]
    assert "in another way than before" in wrong(base=base, auth_mechanism="SCRAM-SHA-256")["password"][0]
    assert "to another place than before" in wrong(base=base, auth_mechanism="", host="b.example")["password"][0]
    assert "password" not in edit(base=base, auth_mechanism="cram-md5").values
    assert "password" not in edit(base=base, name="x").values


def test_a_new_destination_is_told_together_with_other_errors() -> None:
    """The password is asked for at once, not after the other errors were mended."""
    with pytest.raises(PasswordRequired) as caught:
        edit(host="other.example.com", timeout_seconds="never")
    assert set(caught.value.fields) == {"password", "timeout_seconds"}


def test_an_unreadable_destination_is_only_told_itself() -> None:
    """A host that is no host is its own error; nothing is said of the password yet."""
    assert list(wrong(base=BASE, host="a b")) == ["host"]


def test_the_password_can_be_removed_or_goes_with_the_user_name() -> None:
    """None removes it, with a warning; without a user name it is removed, with a notice."""
    removed = edit(password=None)
    assert removed.values["password"] is None
    assert [warning.field for warning in removed.warnings] == ["password"]
    anonymous = edit(username="", host="other.example.com")
    assert anonymous.values["password"] is None
    assert len(anonymous.notices) == 1
    assert clean({**NEW, "password": None}, base=None, rules=RULES).values.get("password") is None


# -- who sends


@pytest.mark.parametrize(
    ("fields", "address", "name"),
    [
        ({"address": '"Doe, John" <j@d.org>'}, "j@d.org", "Doe, John"),
        ({"address": "Doe, John <j@d.org>"}, "j@d.org", "Doe, John"),
        ({"address": "<j@d.org>"}, "j@d.org", ""),
        ({"address": "j@D.ORG"}, "j@d.org", ""),
        ({"address": "A <j@d.org>", "sender_name": "B"}, "j@d.org", "B"),
        ({"address": "A <j@d.org>", "sender_name": ""}, "j@d.org", "A"),
        ({"address": '"CEO <ceo@victim.example>" <j@d.org>'}, "j@d.org", "CEO <ceo@victim.example>"),
        ({"address": "j@mail.test"}, "j@mail.test", ""),
        ({"address": "root@localhost"}, "root@localhost", ""),
        ({"address": "app@server.local"}, "app@server.local", ""),
        ({"address": "jörg@example.com"}, "jörg@example.com", ""),
        ({"address": "j@bücher.example"}, "j@xn--bcher-kva.example", ""),
    ],
)
def test_addresses_and_names(fields: dict[str, Any], address: str, name: str) -> None:
    """One field takes both name and address (B5); domains are stored in A-labels."""
    values = new(**fields).values
    assert (values["address"], values["sender_name"]) == (address, name)


@pytest.mark.parametrize(
    "address",
    ["", "joe", "@d.org", "joe@", "a@b.org, c@d.org", "A <a@b.org>, B <c@d.org>", "a b@c.org", "a@b..org",
     "a@[1.2.3.4]", '"a b"@c.org', "a@b.org\r\nBcc: x@y.org", "a@-b.org", "a@b_c.org",
     "x" * 65 + "@d.org", "a@" + "b" * 300 + ".org"],
)  # fmt: skip
def test_bad_addresses(address: str) -> None:
    """What is not one address gets a sentence; nothing is looked up."""
    assert list(wrong(address=address)) == ["address"]


def test_a_domain_outside_ascii_is_shown() -> None:
    """The notice shows the stored form (I05)."""
    assert "xn--bcher-kva.example" in new(address="j@bücher.example").notices[0]


@pytest.mark.parametrize("name", ["a\r\nBcc: x@y", "a\0", "evil\u202egnp.exe", "\u2066x", "x" * 201])
def test_bad_sender_names(name: str) -> None:
    """No line breaks, no signs that turn the writing round, no novels (I01, I03)."""
    assert list(wrong(sender_name=name)) == ["sender_name"]
    assert list(wrong(address=f'"{name}" <j@d.org>')) == ["address"]


def test_a_kept_name_stays_when_only_the_address_changes() -> None:
    """An address without a name does not wipe the name."""
    assert edit(address="new@example.com").values["sender_name"] == "Acme"


def test_reply_to_is_an_address() -> None:
    """Reply-To takes an address, also written with a name; empty is none."""
    assert new(reply_to="Desk <desk@example.com>").values["reply_to"] == "desk@example.com"
    assert edit(base=replace(BASE, reply_to="a@b.org"), reply_to="").values["reply_to"] == ""


@pytest.mark.parametrize("template", ["{name}", "{user} via {app}", "{address}", "Shop", "{name}{name}"])
def test_good_sender_formats(template: str) -> None:
    """The four tokens and plain text."""
    assert new(sender_format=template).values["sender_format"] == template


@pytest.mark.parametrize(
    "template", ["{x}", "{name.__class__}", "{0}", "{", "}", "{{name}}", "{name", "{Name}", "{}", "{name!r}"]
)
def test_bad_sender_formats(template: str) -> None:
    """Anything else in braces is refused; it is never given to str.format."""
    assert list(wrong(sender_format=template)) == ["sender_format"]


def test_an_empty_sender_format_is_the_usual_one() -> None:
    """Nothing means {name}."""
    assert edit(base=replace(BASE, sender_format="{app}"), sender_format="").values["sender_format"] == "{name}"


# -- the rest


@pytest.mark.parametrize("name", ["x" * 101, "a\nb", "evil\u202e", "ﷺ" * 20])
def test_bad_names(name: str) -> None:
    """Names are one short line."""
    assert list(wrong(name=name)) == ["name"]


@pytest.mark.parametrize(("given", "expected"), [("1", 1.0), (120, 120.0), ("2.5", 2.5), (10.5, 10.5), ("", 10.0)])
def test_good_timeouts(given: object, expected: float) -> None:
    """Seconds from 1 to 120."""
    assert new(timeout_seconds=given).values["timeout_seconds"] == expected


@pytest.mark.parametrize(
    "given", ["0.5", "121", "nan", "inf", "1e1", "٥", -1, float("nan"), float("inf"), 10**400, True]
)
def test_bad_timeouts(given: object) -> None:
    """Everything else is refused."""
    assert list(wrong(timeout_seconds=given)) == ["timeout_seconds"]


def test_switches_take_words() -> None:
    """Booleans come as such or as words of the command line; an empty box is off."""
    values = new(enabled="no", is_default="on").values
    assert (values["enabled"], values["is_default"]) == (False, True)
    assert new(enabled="").values["enabled"] is False


# -- certificates


def test_an_authority_is_checked_and_stored(ca: trustme.CA) -> None:
    """A PEM certificate is taken, with its line ends made uniform (T02t)."""
    given = pem(ca).replace("\n", "\r\n") + "  "
    assert new(ca_certificate=given).values["ca_certificate"] == pem(ca)


@pytest.mark.parametrize("name", ["ca_certificate", "client_certificate"])
def test_a_private_key_in_a_certificate_field_is_refused(name: str, ca: trustme.CA) -> None:
    """A private key that was pasted beside or instead of the certificate is neither stored nor shown (T02t)."""
    key = ca.private_key_pem.bytes().decode()
    for given in (key, pem(ca) + key):
        errors = wrong(**{name: given})
        assert "private key" in errors[name][0]
        assert key.splitlines()[1] not in repr(errors)


@pytest.mark.parametrize(
    "garbage", ["garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "x" * 300_000]
)
def test_garbage_is_no_authority(garbage: str) -> None:
    """What is no certificate gets a sentence (T02t)."""
    assert list(wrong(ca_certificate=garbage)) == ["ca_certificate"]


def pair(ca: trustme.CA, not_after: datetime | None = None) -> dict[str, str]:
    issued = ca.issue_cert("client.example.com", not_after=not_after)
    return {
        "client_certificate": issued.cert_chain_pems[0].bytes().decode(),
        "client_key": issued.private_key_pem.bytes().decode(),
    }


def test_a_client_certificate_and_its_key_are_taken_together(ca: trustme.CA) -> None:
    """The pair is checked; the key is a Secret (B9)."""
    values = new(**pair(ca)).values
    assert isinstance(values["client_key"], Secret)
    x509.load_pem_x509_certificate(values["client_certificate"].encode())


def test_the_wrong_key_is_refused(ca: trustme.CA) -> None:
    """A key of another certificate, a missing key and a missing certificate are errors beside their fields."""
    one, other = pair(ca), pair(ca)
    assert list(wrong(client_certificate=one["client_certificate"], client_key=other["client_key"])) == ["client_key"]
    assert list(wrong(client_certificate=one["client_certificate"])) == ["client_key"]
    assert list(wrong(client_key=one["client_key"])) == ["client_certificate"]


def test_a_certificate_that_expires_soon_is_warned_of(ca: trustme.CA) -> None:
    """Soon is a warning with the date, the past an error."""
    now = datetime.now(UTC)
    (warning,) = new(**pair(ca, now + timedelta(days=5))).warnings
    assert f"{now + timedelta(days=5):%Y-%m-%d}" in warning.text
    late = FieldRules(clock=lambda: now + timedelta(days=6))
    assert list(wrong(**pair(ca, now + timedelta(days=5)), rules=late)) == ["client_key"]


def test_editing_the_client_certificate(ca: trustme.CA) -> None:
    """The stored key stays with its certificate, is asked for with another one, and goes with it."""
    fields = pair(ca)
    base = replace(BASE, client_certificate=fields["client_certificate"], client_key=StoredSecret("token"))
    assert "client_key" not in edit(base=base, name="x").values
    assert list(wrong(base=base, client_certificate=pair(ca)["client_certificate"])) == ["client_key"]
    assert list(wrong(base=base, client_key=None)) == ["client_key"]
    gone = edit(base=base, client_certificate="").values
    assert (gone["client_certificate"], gone["client_key"]) == ("", None)


# -- the sign-in method


@pytest.mark.parametrize(
    ("given", "method"),
    [
        (None, ""),
        ("", ""),
        ("automatic", ""),
        (" Automatic ", ""),
        ("PLAIN", "PLAIN"),
        ("login", "LOGIN"),
        (" cram-md5\t", "CRAM-MD5"),
        ("SCRAM-SHA-256", "SCRAM-SHA-256"),
        ("scram-sha-1", "SCRAM-SHA-1"),
    ],
)
def test_sign_in_methods(given: str | None, method: str) -> None:
    """The method is one of a closed list, in capitals; an empty one chooses by itself, also in place of another."""
    assert new(auth_mechanism=given).values["auth_mechanism"] == method
    base = replace(BASE, auth_mechanism="LOGIN")
    assert edit(base=base, auth_mechanism=given, password="x").values["auth_mechanism"] == method


@pytest.mark.parametrize("given", ["NTLM", "XOAUTH2", "OAUTHBEARER", "PLAIN LOGIN", "x\0", "P" * 600, 5, ["PLAIN"]])
def test_no_sign_in_method(given: Any) -> None:
    """Anything else is refused, with the list where that helps. Methods for tokens cannot be chosen here."""
    errors = wrong(auth_mechanism=given)
    assert list(errors) == ["auth_mechanism"]
    if given in ("NTLM", "XOAUTH2"):
        assert "automatic, PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-256, SCRAM-SHA-1." in errors["auth_mechanism"][0]


def test_a_method_of_a_newer_version_is_kept() -> None:
    """A method in the table that this version does not know stays there when something else is edited."""
    base = replace(BASE, auth_mechanism="SCRAM-SHA-512")
    assert edit(base=base, name="x").values["auth_mechanism"] == "SCRAM-SHA-512"


@pytest.mark.parametrize(("given", "stored"), [("", 0), ("3", 3), (3, 3), ("0", 0), (" 12 ", 12), (None, 0)])
def test_a_number_of_connections(given: Any, stored: int) -> None:
    """Nothing, or 0, is the app's usual number."""
    assert clean({**NEW, "max_connections": given}, base=None, rules=RULES).values["max_connections"] == stored


@pytest.mark.parametrize("given", ["-1", "many", "101", "1.5", "٣", True, "1e1"])
def test_no_number_of_connections(given: Any) -> None:
    with pytest.raises(InvalidServer) as caught:
        clean({**NEW, "max_connections": given}, base=None, rules=RULES)
    assert list(caught.value.fields) == ["max_connections"]
