"""Failures as other programs and their logs tell them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.diagnosis.logs import Told, server_words, stage_told, told
from flask_smtpservers.diagnosis.records import explain_record
from flask_smtpservers.findings import Stage
from flask_smtpservers.smtp.endpoint import Security


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Expected response code "250" but got code "550", with message "550 no such user".', "550 no such user"),
        (r"Expected response code 235 but got code \"535\", with message \"535 no\"", "535 no"),
        ("550 no; from=<spam@a.example> to=<b@b.example> proto=ESMTP helo=<bulk>", "550 no;"),
        ("EHLO not accepted from server: 421 too many", ": 421 too many"),
        ("TLS failed. This usually means: 1. a self-signed certificate ---> frame size", "TLS failed. ---> frame size"),
        ("454 no relay. Secure(SSL): yes", "454 no relay."),
        ("plain words", "plain words"),
    ],
)
def test_what_the_server_said(text: str, words: str) -> None:
    """What a library or a log adds is taken away: its words would be taken for the server's."""
    assert " ".join(server_words(text).split()) == words


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("host a said: 550 no (in reply to RCPT TO command)", Stage.RCPT_TO),
        ("host a said: 550 no (in reply to end of DATA command)", Stage.DATA),
        ("NOQUEUE: reject: MAIL from unknown", Stage.MAIL_FROM),
        ("error after RCPT TO:<a@b.example>: 550", Stage.RCPT_TO),
        ("all recipients were rejected: 501", Stage.RCPT_TO),
        ("code: 'EAUTH', command: 'AUTH PLAIN'", Stage.AUTH),
        ("Invalid greeting. response=554", Stage.GREETING),
        ("550 no", None),
    ],
)
def test_where_it_showed(text: str, stage: Stage | None) -> None:
    """Logs name the step at which the server refused."""
    assert stage_told(text) is stage


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Could not connect to SMTP host: smtp.a.example, port: 465, response: -1", Told("smtp.a.example", 465)),
        ('to host "smtp.a.example", port 465, isSSL false', Told("smtp.a.example", 465, Security.NONE)),
        ("opening to ssl://smtp.a.example:465", Told("smtp.a.example", 465, Security.SSL)),
        ("connect to mx.a.example[192.0.2.1]:25: Connection timed out", Told("mx.a.example", 25)),
        ("dial tcp 192.0.2.1:587: i/o timeout", Told(port=587)),
        ("220 mx.b.example ESMTP Postfix", Told(greeting="mx.b.example ESMTP Postfix")),
        ("connect to a.example:4650000", Told("a.example")),
        ("nothing", Told()),
    ],
)
def test_what_it_tells_beside(text: str, known: Told) -> None:
    """Host, port, encryption and greeting are read where the settings are not recorded."""
    assert told(text) == known


CASES: list[tuple[dict[str, Any], str]] = [
    # the settings stand in the text only
    ({"text": "Could not connect to SMTP host: smtp.a.example, port: 465, response: -1"}, "implicit_tls_needed"),
    ({"text": 'host "smtp.a.example", port 465, isSSL false; Read timed out'}, "implicit_tls_needed"),
    ({"text": "connect to aspmx.l.google.com[192.0.2.1]:25: Connection timed out"}, "port_blocked"),
    ({"text": 'opening to smtp.gmail.com:587 "220 box.b.example ESMTP Exim" certificate verify failed'},
     "connection_intercepted"),
    # a number beside a word that sounds like TLS is still a reply
    ({"text": "Error 454: 454 4.7.1 <a@b.example>: Relay access denied. Secure(SSL): yes"}, "relay_denied"),
    ({"text": "Error: 451: 4.4.2 Timeout - closing connection"}, "server_temporary_failure"),
    ({"text": "SMTP error (535): wrong"}, "bad_credentials"),
    # 504 is not always about the login
    ({"text": "504 5.5.2 <box>: Helo command rejected: need fully-qualified hostname"}, "helo_rejected"),
    # several replies: the first that refuses
    ({"text": "250 ok\n550 5.1.1 user unknown\n421 bye"}, "recipient_rejected"),
    # words of other languages and libraries
    ({"text": "Aucune connexion: connexion refusée", "settings": {"host": "localhost"}}, "connection_refused"),
    ({"text": "Es konnte keine Verbindung hergestellt werden: Zeitüberschreitung"}, "port_blocked"),
    ({"text": "421 Trop de connexions"}, "rate_limited"),
    ({"exception": "java.net.UnknownHostException", "text": "mail.a.example"}, "host_not_found"),
    ({"exception": "SslHandshakeException", "text": "Cannot determine the frame size"}, "starttls_mode_needed"),
    ({"text": "Unable to parse TLS packet header", "settings": {"port": 587}}, "starttls_mode_needed"),
    ({"text": "certificate signed by unknown authority", "settings": {"host": "mail.a.example"}}, "cert_self_signed"),
    ({"text": "read ECONNRESET", "settings": {"port": 587, "security": "ssl"}}, "starttls_mode_needed"),
    ({"text": "connect ENETUNREACH 192.0.2.1:465"}, "network_unreachable"),
    # a fact in words
    ({"stage": "connect", "exception": "ConnectionRefusedError", "context": "since ten failed logins"}, "ip_blocked"),
    ({"settings": {"host": "smtp-relay.gmail.com"}, "code": 550, "stage": "mail_from",
      "text": "Invalid credentials for relay", "context": "a personal Gmail account"}, "wrong_endpoint"),
    # a refused login whose reply is kept back
    ({"text": "SMTP Error: Could not authenticate."}, "bad_credentials"),
    ({"text": "curl: (67) Login denied", "provider": "gmail"}, "app_password_required"),
    # nobody says at which step
    ({"text": "timed out", "settings": {"port": 465, "security": "starttls"}}, "implicit_tls_needed"),
    ({"text": "connect ETIMEDOUT", "settings": {"port": 465, "security": "starttls"}}, "port_blocked"),
    ({"text": "short response: * OK [CAPABILITY IMAP4rev1 IDLE] ready"}, "wrong_endpoint"),
    ({"text": "the server does not advertise the STARTTLS extension", "settings": {"security": "starttls"}},
     "starttls_not_offered"),
    ({"text": "550 Invalid User", "provider": "netease"}, "recipient_rejected"),
    ({"text": "error 401: unable to verify the first certificate"}, "cert_chain_incomplete"),
    ({"text": "[Errno -3] Try again"}, "dns_resolver_failure"),
    # the step alone
    ({"stage": "connect", "exception": "OSError", "text": "SMTP host is not reachable"}, "port_blocked"),
    ({"stage": "starttls", "exception": "SMTPResponseException", "code": 554, "text": "no"}, "server_misconfigured"),
    # values of an odd form
    ({"stage": "RCPT_TO ", "code": "550", "text": "no", "settings": {"port": "25"}}, "recipient_rejected"),
    ({"stage": "auth", "code": True, "text": "535 no"}, "bad_credentials"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "cause"), CASES)
def test_a_log(record: dict[str, Any], cause: str) -> None:
    """The cause is found without the fields that a log does not have."""
    assert explain_record(record)["cause"] == cause


@given(st.text(max_size=300))
def test_any_log_is_taken(text: str) -> None:
    """No text makes it fail, and what is left of it is not longer than it was."""
    assert len(server_words(text)) <= len(text)
    assert stage_told(text) is None or stage_told(text) in list(Stage)
    assert (told(text).host or "") in text


@pytest.mark.parametrize(
    "part", ["a", "this usually means ", 'but got code "550", with message "', "220-a.b-", "dial tcp ", "from=<", "a@"]
)
def test_a_long_text_is_read_quickly(part: str) -> None:
    """A log of any length takes no longer than the blink of an eye."""
    begin = time.process_time()
    explain_record({"text": part * (400_000 // len(part))})
    assert time.process_time() - begin < 2
