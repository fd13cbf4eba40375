"""Errors go on being caught by what hosts wrote for Flask-Mail, survive a pickle, and are drawn in the docstring."""

from __future__ import annotations

import inspect
import pickle
import re
import smtplib
import socket
import ssl

import pytest

from flask_smtpservers import errors
from flask_smtpservers.findings import Stage

CLASSES = {
    name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.SMTPServersError)
}
SENDING = [cls for cls in CLASSES.values() if issubclass(cls, errors.SendError)]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (errors.SendError, smtplib.SMTPException),
        (errors.HostNotFound, socket.gaierror),
        (errors.ConnectionRefused, ConnectionRefusedError),
        (errors.TimedOut, TimeoutError),
        (errors.TLSFailed, ssl.SSLError),
        (errors.CertificateRefused, ssl.SSLCertVerificationError),
        (errors.ProtocolError, smtplib.SMTPServerDisconnected),
        (errors.NotOffered, smtplib.SMTPNotSupportedError),
        (errors.AuthenticationFailed, smtplib.SMTPAuthenticationError),
        (errors.HeloRefused, smtplib.SMTPHeloError),
        (errors.SenderRefused, smtplib.SMTPSenderRefused),
        (errors.RecipientsRefused, smtplib.SMTPRecipientsRefused),
        (errors.DataRefused, smtplib.SMTPDataError),
        (errors.InDoubt, smtplib.SMTPServerDisconnected),
        (errors.InvalidServer, ValueError),
        (errors.ServerNotFound, LookupError),
    ],
)
def test_hosts_go_on_catching_what_they_caught(ours: type[Exception], theirs: type[Exception]) -> None:
    """Each error is also the type that smtplib, ssl or the system raised in its place."""
    assert issubclass(ours, theirs)


@pytest.mark.parametrize("cls", SENDING)
def test_a_send_error_survives_a_pickle(cls: type[errors.SendError]) -> None:
    """A task queue may carry it: text, stage and codes arrive."""
    error = cls("It did not work.", stage=Stage.AUTH, server="Shop", code=535, enhanced="5.7.8", reply="no")
    error.errno = 111
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (cls, "Shop: It did not work.")
    assert (again.stage, again.code, again.enhanced, again.permanent) == (Stage.AUTH, 535, "5.7.8", True)
    assert (again.smtp_code, again.smtp_error, again.errno) == (535, b"no", 111)


@pytest.mark.parametrize(("code", "permanent"), [(450, False), (550, True), (None, False)])
def test_the_code_says_whether_it_lasts(code: int | None, permanent: bool) -> None:
    assert errors.DataRefused("x", stage=Stage.DATA, code=code).permanent is permanent


def test_what_settings_alone_can_mend_is_permanent() -> None:
    assert errors.NotOffered("x", stage=Stage.AUTH).permanent
    assert not errors.TimedOut("x", stage=Stage.CONNECT).permanent


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """Every class stands in the drawing."""
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or "")) | {"SMTPServersError"}
    assert drawn == set(CLASSES)
