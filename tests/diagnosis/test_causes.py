"""The closed lists of causes and fixes, and the sentences in which people are told of them."""

from __future__ import annotations

import re

import pytest

from flask_smtpservers.diagnosis.causes import CAUSES, FIXES, VARIANTS
from flask_smtpservers.diagnosis.causes.kinds import Cause
from flask_smtpservers.diagnosis.context import Context
from flask_smtpservers.diagnosis.rules import Verdict, explained
from flask_smtpservers.providers.catalog import packaged
from flask_smtpservers.smtp.endpoint import Security

KNOWN = """
settings_malformed host_not_found dns_resolver_failure connection_refused port_blocked port_not_offered
network_unreachable wrong_endpoint implicit_tls_needed starttls_mode_needed starttls_required starttls_not_offered
cert_self_signed cert_hostname_mismatch cert_expired cert_chain_incomplete ca_store_outdated connection_intercepted
tls_version_or_cipher server_temporary_failure server_misconfigured ip_blocked rate_limited helo_rejected
app_password_required bad_credentials wrong_username_form wrong_credential_kind smtp_auth_disabled_tenant
smtp_auth_disabled_mailbox basic_auth_disabled signin_policy_blocked smtp_access_not_enabled web_login_required
account_suspended auth_method_unsupported auth_not_offered auth_required ip_not_allowlisted sender_not_owned
sender_not_verified sender_address_invalid relay_denied sandbox_restricted domain_auth_failed recipient_rejected
greylisted quota_exceeded message_too_large content_rejected message_malformed
unknown blocked_by_policy secret_unreadable allowance_reached cert_not_yet_valid client_certificate_needed in_doubt
certificate_changed
"""

BLANK = Context()
FULL = Context(
    host="smtp.sendgrid.net",
    port=587,
    security=Security.STARTTLS,
    username="apikey",
    sender="shop@example.org",
    recipient="guest@example.net",
    outbound_ips=("192.0.2.7",),
    certificate_names=("*.hoster.example",),
)


def test_the_list_is_closed() -> None:
    """Every cause has one entry, and there are no others."""
    assert sorted(CAUSES) == sorted(KNOWN.split())


def test_every_fix_is_used_and_exists() -> None:
    """The fixes of all causes are the fixes of the list."""
    assert {fix for cause in CAUSES.values() for fix in cause.fixes} == set(FIXES)


def test_special_words_belong_to_a_cause() -> None:
    """No variant hangs in the air."""
    assert {cause for cause, _ in VARIANTS} <= set(CAUSES)


@pytest.mark.parametrize("context", [BLANK, FULL], ids=["nothing known", "all known"])
@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.id)
def test_every_way_of_telling(cause: Cause, context: Context) -> None:
    """Each cause, with each fix and in each special case, is told in whole sentences and one to three steps."""
    variants = ["", *(name for cause_id, name in VARIANTS if cause_id == cause.id)]
    for variant in variants:
        for fix in cause.fixes:
            said = explained(Verdict(cause.id, fix, variant), context)
            assert 1 <= len(said.steps) <= 3
            assert not said.title.endswith(".")
            for sentence in (said.explanation, *said.steps):
                assert sentence.endswith((".", "?")), sentence
                assert sentence[0].isupper() or sentence.startswith(("“", context.host, context.recipient)), sentence
            text = " ".join((said.title, said.explanation, *said.steps))
            assert "%(" not in text
            assert "None" not in text.replace("“None”", "")
            assert "  " not in text


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.id)
def test_no_unsafe_advice(cause: Cause) -> None:
    """Nobody is told to weaken an account or to stop checking certificates, in no special case and by no fix."""
    variants = ["", *(name for cause_id, name in VARIANTS if cause_id == cause.id)]
    for said in (explained(Verdict(cause.id, fix, variant), FULL) for variant in variants for fix in cause.fixes):
        text = " ".join((said.explanation, *said.steps)).lower()
        weaken = r"(disable|(switch|turn) off) .{0,30}(mfa|security|multi-factor|two-step|2-step|verification|defaults)"
        assert not re.search(rf"less secure|{weaken}", text)
        assert not re.search(r"(disable|switch off|turn off|ignore|skip) .{0,20}certificate", text)
        assert "below" not in text, "where the server's words stand differs from page to page"


def test_a_sentence_about_something_unknown_is_left_out() -> None:
    """This machine's address is told where the operator stated it, and not mentioned otherwise."""
    assert any("192.0.2.7" in step for step in explained(Verdict("ip_blocked"), FULL).steps)
    assert not any("address of this machine is" in step for step in explained(Verdict("ip_blocked"), BLANK).steps)


def test_a_microsoft_policy_names_app_password_and_security_defaults() -> None:
    """The refusal by policy names what can stand behind it, and leaves everybody's protection on."""
    said = explained(Verdict("signin_policy_blocked"), BLANK)
    assert "Security Defaults" in said.explanation
    assert "app passwords" in " ".join(said.steps)
    assert "everybody else stays" in said.steps[0]


def test_google_steps_come_in_order() -> None:
    """First user name and password, then two-step verification, then the app password; with the provider's page."""
    context = Context(host="smtp.gmail.com", provider=packaged().provider("gmail"))
    said = explained(Verdict("app_password_required", variant="gmail"), context)
    assert ["user name" in said.steps[0], "2-Step" in said.steps[1], "apppasswords" in said.steps[2]] == [True] * 3
    assert said.link.startswith("https://support.google.com/")
