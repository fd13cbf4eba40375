"""``python -m flask_smtpservers.diagnosis``: recorded failures in, causes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_smtpservers.diagnosis.__main__ import main
from flask_smtpservers.diagnosis.causes import CAUSES
from flask_smtpservers.diagnosis.records import explain_record

RECORDS: list[tuple[dict[str, Any], str]] = [
    ({"exception": "socket.gaierror", "text": "[Errno -2] Name or service not known"}, "host_not_found"),
    ({"stage": "resolve", "text": "Temporary failure in name resolution"}, "dns_resolver_failure"),
    ({"text": "connect ETIMEDOUT 192.0.2.1:587", "settings": {"port": 587}}, "port_blocked"),
    ({"text": "Connection refused (111)", "settings": {"host": "localhost"}}, "connection_refused"),
    ({"text": "535 5.7.8 Authentication failed"}, "bad_credentials"),
    ({"provider": "gmail", "code": 535, "text": "Username and Password not accepted"}, "app_password_required"),
    ({"exception": "SMTPServerDisconnected", "settings": {"port": 465, "security": "none"}}, "implicit_tls_needed"),
    ({"exception": "SSLError", "text": "certificate verify failed: certificate has expired"}, "cert_expired"),
    ({"text": "[SSL: WRONG_VERSION_NUMBER] wrong version number"}, "starttls_mode_needed"),
    ({"stage": "auth", "provider": "mailgun", "code": 535, "context": "EU region"}, "wrong_endpoint"),
    ({"stage": "auth", "code": 535, "settings": {"username_kind": "blank"}}, "settings_malformed"),
    ({"stage": "connect", "provider": "cpanel", "exception": "ConnectionRefusedError"}, "port_blocked"),
    ({"stage": "auth", "exception": "SMTPNotSupportedError", "settings": {"security": "ssl"}}, "auth_not_offered"),
    ({"exception": "OSError", "stage": "connect", "text": "[WinError 10013] forbidden"}, "port_blocked"),
    ({"stage": "greeting", "text": "Greeting never received", "settings": {"port": 465, "security": "starttls"}},
     "implicit_tls_needed"),
    ({"exception": "ssl.SSLError", "text": "Received fatal alert: protocol_version"}, "tls_version_or_cipher"),
    ({"text": "x509: certificate signed by unknown authority", "settings": {"host": "smtp.gmail.com"}},
     "ca_store_outdated"),
    ({"text": "x509: certificate has expired or is not yet valid: it is 2024 which is after 2023"}, "cert_expired"),
    ({"text": "x509: certificate has expired or is not yet valid: it is 2024 which is before 2025"},
     "cert_not_yet_valid"),
    ({"text": "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "settings": {"host": "mail.example.com"}}, "cert_chain_incomplete"),
    ({"stage": "auth", "exception": "SMTPNotSupportedError", "settings": {"port": 587, "security": "none"}},
     "starttls_required"),
    ({"stage": "starttls", "text": "TLS was not offered by the host"}, "starttls_not_offered"),
    ({"text": "queryA EAI_AGAIN smtp.gmail.com"}, "dns_resolver_failure"),
    ({"exception": "UnicodeEncodeError", "text": "'ascii' codec can't encode"}, "settings_malformed"),
    ({"provider": "netease", "stage": "auth", "code": 550, "text": r"\xd3\xc3\xbb\xa7\xce\xde\xc8\xa8"},
     "smtp_access_not_enabled"),
    ({}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "cause"), RECORDS)
def test_a_record(record: dict[str, Any], cause: str) -> None:
    """A log line is enough; whatever else is known helps."""
    assert explain_record(record)["cause"] == cause


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["id", "provider", "stage", "settings", "exception", "code", "enhanced", "text", "context"]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
def test_any_record_is_taken(record: dict[str, Any]) -> None:
    """Values of a wrong type count as missing: there is always an answer."""
    answer = explain_record(record)
    assert answer["cause"] in CAUSES
    assert sorted(answer) == ["cause", "fix", "id", "title", "transient"]


def test_lines_in_lines_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of the file gives one line; blank ones are passed over."""
    file = tmp_path / "failures.jsonl"
    file.write_text('{"id": "a", "text": "550 5.1.1 user unknown", "stage": "rcpt_to"}\n\n{"id": "b"}\n')
    assert main([str(file)]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(answer["id"], answer["cause"]) for answer in answers] == [("a", "recipient_rejected"), ("b", "unknown")]
    assert answers[0]["title"] == "The server does not accept the recipient"
    assert answers[0]["transient"] is False


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without one file it says how it is used."""
    assert main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", [b"not json", b"[1]", b"\xff\xfe{}", b"[" * 100_000, b'{"code": ' + b"9" * 5000 + b"}"]
)
def test_a_broken_line(line: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is no JSON object is named by its number, counts as unknown, and stops nothing."""
    file = tmp_path / "failures.jsonl"
    file.write_bytes(b'{"id": 1}\n' + line + b'\n{"id": 3}\n')
    assert main([str(file)]) == 1
    out, err = capsys.readouterr()
    assert "line 2" in err
    assert [json.loads(answer)["id"] for answer in out.splitlines()] == [1, None, 3]
    assert json.loads(out.splitlines()[1])["cause"] == "unknown"


def test_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read is named."""
    assert main(["/nowhere/failures.jsonl"]) == 2
    assert "/nowhere/failures.jsonl" in capsys.readouterr().err


def test_odd_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A byte order mark, halves of characters and numbers that are none neither stop it nor come out as they are."""
    file = tmp_path / "failures.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"id": "\\ud800", "text": "\\ud800 535"}\n{"id": NaN, "code": 1e400}\n')
    assert main([str(file)]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["\ud800", None]


def test_it_runs_without_flask() -> None:
    """The command reads standard input and imports neither Flask nor SQLAlchemy."""
    program = (
        "import runpy, sys\n"
        "sys.argv = ['diagnosis', '-']\n"
        "try:\n    runpy.run_module('flask_smtpservers.diagnosis', run_name='__main__')\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "assert not {'flask', 'sqlalchemy', 'wtforms'} & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], input='{"id": 1, "text": "x"}\n', capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout)["id"] == 1
