"""What to check before one asks for help: eight points, ticked as far as a test has proved them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..findings import Diagnosis, Stage, Step, StepState
from ..i18n import N_
from ..i18n import gettext as _


@dataclass(frozen=True, slots=True)
class Point:
    """One point on the page. Its state stands in words and in a shape of its own.

    :param kind: ``ok``, ``failed``, ``idle`` (nobody has verified it) or ``paused`` (it does not matter here).
    """

    kind: str
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """What proves a point, and which causes deny it.

    :param proof: the stage that proves it; None if no test can.
    :param login: whether it only matters with a login.
    """

    text: str
    proof: Stage | None
    causes: frozenset[str]
    login: bool = False


_RULES = (
    _Rule(
        N_("User name and password are right."),
        Stage.AUTH,
        frozenset(
            ["bad_credentials", "wrong_username_form", "wrong_credential_kind", "auth_required", "secret_unreadable"]
        ),
        login=True,
    ),
    _Rule(
        N_("With the same account you can sign in on the provider's web site."),
        None,
        frozenset(["web_login_required", "account_suspended"]),
        login=True,
    ),
    _Rule(
        N_("There are no blanks around server, user name and password, and nothing else that does not belong there."),
        Stage.SETTINGS,
        frozenset(["settings_malformed"]),
    ),
    _Rule(
        N_("If the account uses two-step verification (MFA), an app password is entered instead of its own."),
        Stage.AUTH,
        frozenset(["app_password_required", "signin_policy_blocked"]),
        login=True,
    ),
    _Rule(
        N_("The provider lets other programs send for this account."),
        Stage.AUTH,
        frozenset(
            [
                "smtp_access_not_enabled",
                "smtp_auth_disabled_tenant",
                "smtp_auth_disabled_mailbox",
                "basic_auth_disabled",
                "auth_method_unsupported",
                "auth_not_offered",
            ]
        ),
        login=True,
    ),
    _Rule(
        N_("Port and encryption go together."),
        Stage.EHLO,
        frozenset(
            [
                "implicit_tls_needed",
                "starttls_mode_needed",
                "starttls_required",
                "starttls_not_offered",
                "port_not_offered",
                "tls_version_or_cipher",
                "wrong_endpoint",
            ]
        ),
    ),
    _Rule(
        N_("No firewall keeps this app from sending mail."),
        Stage.CONNECT,
        frozenset(["port_blocked", "connection_refused", "network_unreachable", "connection_intercepted"]),
    ),
    _Rule(
        N_("If the provider lets in listed addresses only, that of this app is on its list."),
        Stage.RCPT_TO,
        frozenset(["ip_not_allowlisted", "ip_blocked", "relay_denied"]),
    ),
)


def checklist(steps: Sequence[Step], outbound_ips: Sequence[str] = ()) -> tuple[Point, ...]:
    """Tick what a run has proved.

    :param steps: all steps of the run, the ones that were not reached included.
    :param outbound_ips: the addresses from which this app connects, for the point about allow-lists.
    """
    proved = {step.stage for step in steps if step.state is StepState.OK}
    # Where encryption follows the greeting, the greeting alone proves nothing about it.
    if {Stage.STARTTLS, Stage.TLS}.intersection(step.stage for step in steps) and Stage.TLS not in proved:
        proved.discard(Stage.EHLO)
    login = any(step.stage is Stage.AUTH for step in steps)
    diagnosis = next((step.diagnosis for step in steps if step.diagnosis is not None), None)
    return tuple(_point(rule, proved, diagnosis, login, outbound_ips) for rule in _RULES)


def _point(
    rule: _Rule, proved: set[Stage], diagnosis: Diagnosis | None, login: bool, outbound_ips: Sequence[str]
) -> Point:
    text = _(rule.text)
    if Stage.RCPT_TO is rule.proof and outbound_ips:
        text = _("%(sentence)s It connects from %(addresses)s.", sentence=text, addresses=", ".join(outbound_ips))
    if diagnosis is not None and _denies(rule, diagnosis):
        return Point("failed", text, _("Here it fails"))
    if rule.login and not login:
        return Point("paused", text, _("Does not matter: no login is set"))
    if rule.proof in proved:
        return Point("ok", text, _("Verified by this test"))
    return Point("idle", text, _("Not verified: check it yourself"))


def _denies(rule: _Rule, diagnosis: Diagnosis) -> bool:
    blanks = "keep_password_blanks" in diagnosis.correction
    return rule.proof is Stage.SETTINGS if blanks else diagnosis.cause in rule.causes
