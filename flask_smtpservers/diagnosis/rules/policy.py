"""Refusals of this machine, this account or this pace, at whatever step the server lets them show."""

from __future__ import annotations

from ...findings import Stage
from ...smtp.endpoint import Security
from ..context import Fact
from ..symptom import Symptom
from ..wording import any_of
from .verdict import Verdict

_INTERCEPTOR = any_of(
    r"\bmfe proxy|mail ?shield|\bavast\b|\bavg\b|kaspersky|\beset\b|proxy, smtp server",
    r"cannot connect to smtp server",
)


def interception(symptom: Symptom) -> Verdict | None:
    """Recognise a proxy that names itself, and a stranger that judges a password."""
    # Under encryption the certificate has shown who it is; in clear only the greeting does.
    stranger = symptom.security is Security.NONE and symptom.at(Stage.AUTH) and symptom.context.greeted_by_stranger
    return Verdict("connection_intercepted") if stranger or symptom.says(_INTERCEPTOR) else None


_TLS_BROKEN = any_of(r"tls (is )?(currently )?(not available|unavailable)|starttls .*(temporar|local problem)")
_TLS_TOO_OLD = any_of(r"4\.7\.66\b|tls ?1\.[01]\b.*(not|no longer|deprecat|disabled)|tls version")
_TLS_FIRST = any_of(
    r"must issue a starttls|issue a starttls|starttls (command )?(is )?(first|required|needed)",
    r"not sent over (an? )?(tls|encrypt)|[45]\.7\.29\b",
    r"(tls|ssl|encrypt\w*|secure connection) (is )?(required|needed|mandatory)|5\.7\.11\b",
    r"(requires?|must use|must be|need) (an? )?(tls|ssl|starttls|encrypt\w*|secure)|without (ssl|tls|encryption)",
)


def encryption_demanded(symptom: Symptom) -> Verdict | None:
    """Recognise a server that wants encryption, or other encryption, first."""
    if symptom.transient and symptom.says(_TLS_BROKEN):
        if symptom.context.is_private:
            return Verdict("server_misconfigured", "turn_off_starttls", "starttls")
        return Verdict("server_misconfigured")
    if symptom.says(_TLS_TOO_OLD) or symptom.shows(r"smtp auth tls"):
        return Verdict("tls_version_or_cipher")
    if symptom.code == 538 or (symptom.says(_TLS_FIRST) and not symptom.says(r"5\.7\.57\b")):
        return Verdict("starttls_required")
    return None


_LOGIN_FIRST = any_of(
    r"auth\w* (is )?(required|needed)|not logged in|authenticate first|first authenticat|need to auth",
    r"must (be )?(auth|log)",
    r"unauthenticated (senders|commands)|requires? (an? )?auth|please (log ?in|auth)|login (is )?(required|first)",
    r"(turn on|enable|switch on|activate) (the )?(smtp )?auth|authentifi\w+ requise|authentifizierung erforderlich",
    r"auth\w* (credentials )?not provided|send auth|not (been )?authenticated|anonymous",
)


def login_demanded(symptom: Symptom) -> Verdict | None:
    """Recognise a server that wants a login which did not take place."""
    if symptom.at(Stage.AUTH) or symptom.says(r"relay access denied|not permitted to relay"):
        return None
    if symptom.says(_LOGIN_FIRST):
        return Verdict("auth_required")
    if symptom.says(r"client host rejected: access denied"):
        return Verdict("ip_not_allowlisted" if symptom.context.username else "auth_required")
    plain_530 = symptom.code == 530 and not symptom.says(r"sender|from|domain|verif")
    return Verdict("auth_required") if plain_530 else None


_OWN_NAME = any_of(r"\b(helo|ehlo)\b|5\.7\.506\b")
_ABOUT_THE_ADDRESS = any_of(r"block|black|spam|listed|banned|too many|reputation|reverse")


def name_refused(symptom: Symptom) -> Verdict | None:
    """Recognise trouble with the EHLO name; servers such as Postfix show it as late as at RCPT TO."""
    if (
        symptom.says(_OWN_NAME)
        and not symptom.says(_LIST_UNANSWERED)
        and not symptom.says(r"blocked using|listed|too many con")
    ):
        return Verdict("helo_rejected")
    if symptom.at(Stage.EHLO, Stage.TLS) and symptom.permanent and not symptom.says(_ABOUT_THE_ADDRESS):
        return Verdict("helo_rejected")
    return None


_NOT_ON_THE_LIST = any_of(
    r"unauthori[sz]ed ip|\bip( address)? (is )?(not|isn.t) (authori|allow|white|permit|regist|in )",
    r"not (in|on) (the )?(white|allow) ?list|invalid credentials for relay|tenantattribution|5\.7\.64\b",
    r"ip .{0,30}not (white|allow) ?listed|ip restriction",
)
_STRAIGHT_TO_RECEIVER = any_of(r"send (e?mail )?directly")


def address_list(symptom: Symptom) -> Verdict | None:
    """Recognise an account or a relay that only knows listed addresses."""
    if symptom.service == "google-relay" and symptom.context.knows(Fact.PERSONAL_ACCOUNT):
        return Verdict("wrong_endpoint")
    if symptom.says(_NOT_ON_THE_LIST) and not symptom.says(_STRAIGHT_TO_RECEIVER):
        return Verdict("ip_not_allowlisted")
    return None


_SOMEBODY_ELSES_ACCOUNT = any_of(
    r"recipient|tried to reach|user unknown|no such|to <address> cannot be delivered|(local|invalid) mailbox|reputation"
)
_ACCOUNT = any_of(
    r"account.{0,40}\b(disabled|suspend|block|lock|expired|deactivat|restrict|inactiv|terminat|closed|on hold"
    r"|banned|paused)",
    r"(disabled|suspended|blocked|locked|inactive|deactivated|expired) (user |e?-?mail )?account",
    r"(user|mailbox|domain) .{0,20}\b(disabled|suspended|blocked|expired)",
    r"(sending|outgoing mail|outbound) .{0,40}\b(paused|suspended|disabled|blocked|restricted)",
    r"activate your|not (been |yet )?activated|bad outbound sender|tenant has exceeded|spam abuse|unpaid|overdue",
    r"5\.7\.(50[1-3]|70[0-9]|7[1-4][0-9])\b|5\.7\.13\b|5\.4\.6\b|unusual sending activity|compromised",
    r"unsolicited e?mail originating from your address",
)


def account_blocked(symptom: Symptom) -> Verdict | None:
    """Recognise an account that may not send at all."""
    if symptom.at(Stage.GREETING) or symptom.says(_SOMEBODY_ELSES_ACCOUNT):
        return None
    if symptom.enhanced.endswith(".2.1") and not symptom.at(Stage.AUTH, Stage.MAIL_FROM):
        # "Mailbox disabled": the one that was to receive.
        return None
    return Verdict("account_suspended") if symptom.says(_ACCOUNT) else None


_SOMEBODY_ELSES_QUOTA = any_of(
    r"over ?quota|mailbox|quota exceeded for|tried to reach|recipient.{0,20}(full|quota)|user quota|storage",
    r"quota violation",
)
_PACE = any_of(r"size|peak|concurrent|connections?\b|thread|too many messages|rate[ -]limit|per (second|minute)")
_TRIAL = any_of(r"5\.7\.23[23]\b")
_AMOUNT = any_of(
    r"daily|per day|a day|monthly|per month|per hour|hourly|24[ -]?h|credits|quota|5\.4\.5\b|5\.1\.90\b",
    r"(sending|message|e?mail|user|recipients?|relay|plan|account) (sending )?limits?\b",
    r"limit (has been |was |is )?(reach|exceed)|max defers|exceeded (the|your) (max|limit|allow)",
    r"too many recipients|[45]\.5\.3\b",
)


def used_up(symptom: Symptom) -> Verdict | None:
    """Recognise an amount that is used up: per day, per hour, or in credits."""
    if symptom.says(_TRIAL):
        return Verdict("quota_exceeded")
    if symptom.says(_SOMEBODY_ELSES_QUOTA) or symptom.says(_PACE):
        return None
    return Verdict("quota_exceeded") if symptom.says(_AMOUNT) else None


_TOO_FAST = any_of(
    r"too many (?!bad auth|unauth|recipients|errors .{0,12}from your)|mails? per (session|connection)|deferred due to",
    r"(excessive|unexpected) (volume|number|rate)|messages (they|it) can receive|messages? per (session|connection)",
    r"\b(hl:(icc|ifc|mep|rep)|rp:(drc|ccl|trc|frl)|mi:(cel|dmc|ccl))\b",
    r"too (quickly|fast|much mail|often)|per (second|minute)|throttl|flood",
    r"(sending|message|mail|connection) rate|rate[ -]?limit|slow ?(er|down)|thread limit|concurren|simultaneous|peak ",
    r"try again in \d|unusual rate|at a rate|limit.{0,20}connections|maximum (number of )?connections|frequency",
    r"[45]\.7\.28\b|5\.7\.508\b|sessions from|temporarily deferred|trop de connexions|zu viele",
    r"failure sending mail\. ?try again later",
)


def too_fast(symptom: Symptom) -> Verdict | None:
    """Recognise a pace that the server finds too fast, also where it uses a lasting code for it."""
    if symptom.code == 452 and symptom.enhanced == "4.4.5":
        return Verdict("rate_limited")
    if symptom.says(_TOO_FAST) or (symptom.transient and symptom.says(r"\[tss?\d")):
        lasting = symptom.permanent and symptom.says(r"unusual rate of unsolicited")
        return Verdict("ip_blocked" if lasting else "rate_limited")
    return None


_LIST_UNANSWERED = any_of(r"open resolver|127\.255\.255|public resolver|query refused|too many queries")
_END_USER_LINE = any_of(r"send (e?mail )?directly|dynamic|residential|dial-?up|end[ -]user ip|consumer ip")
_NO_PROPER_NAME = any_of(
    r"reverse[ -](dns|host|lookup)|\bptr\b|\brdns\b|cannot find your|[45]\.7\.25\b",
    r"unable to (resolve|verify) .{0,30}\b(host|ip)|no reverse",
)
_LISTED = any_of(
    r"block(ed)? (using|by|list)|(block|black|deny) ?list|dnsbl|\brbl\b|reputation|listed (in|on|at|by)",
    r"spamhaus|barracuda|spamcop|sorbs|cloudmark|uceprotect|proofpoint|senderscore|\bs31[45]0\b|\bib1\d\d\b",
    r"\b(dt:rbl|wm:bli|hl:ipb)\b|\(ip based\)|5\.7\.(60[6-9]|6[1-4]\d)\b|5\.7\.511\b",
    r"messages from \[?[\d.]+.{0,10}weren.t sent|blocked - see",
    r"\bip\b.{0,40}\b(block|reject|denied|refus|banned|bad)|your (ip|host|server) .{0,40}\b(block|reject|bann)",
    r"too many errors .{0,12}from your|adresse ip .{0,20}bloqu|ip-adresse .{0,30}(gesperrt|blockiert)",
    r"connections? (will )?not (be )?accepted from|client host .{0,30}blocked|access denied.{0,30}\bip\b",
)


def machine_blocked(symptom: Symptom) -> Verdict | None:
    """Recognise a refusal of this machine's address; a list that cannot be asked is the server's own fault."""
    if symptom.says(_LIST_UNANSWERED):
        return Verdict("server_misconfigured", variant="resolver")
    if symptom.says(_END_USER_LINE):
        return Verdict("ip_blocked", "send_through_relay", "direct")
    if symptom.says(_NO_PROPER_NAME):
        return Verdict("ip_blocked", "send_through_relay")
    if symptom.says(_LISTED):
        return Verdict("ip_blocked")
    if symptom.at(Stage.GREETING) and symptom.permanent and not symptom.context.knows(Fact.OWN_SERVER):
        return Verdict("ip_blocked")
    return None


_NO_RELAY = any_of(
    r"relay(ing)? (access |mail )?(is )?(denied|rejected|not (permit|allow|author)|prohibit|disallowed(?! as))",
    r"(unable|cannot|can.t|not (allowed|permitted|authori[sz]ed)) to relay|do(es)? not relay|no relay|open relay",
    r"relay(ing)? (is )?(forbidden|restrict)|rcpt ?hosts?\b|\bas a relay\b|cannot deliver mail for",
    r"not permitted to relay",
    r"not (locally )?hosted here|not a local (domain|host)",
)


def relaying(symptom: Symptom) -> Verdict | None:
    """Recognise a server that does not pass mail on."""
    if symptom.says(_NO_RELAY):
        return Verdict("relay_denied", variant="blank" if symptom.context.username == "" else "")
    return None


_GREYLIST = any_of(r"gr[ea]y-? ?list|postgrey|first (contact|attempt|time)")
_BARE_LATER = any_of(
    r"^\W*(45[01][ -])?(4\.[27]\.[01] )?(please )?(try again( later)?|temporar\w+ reject\w*)\W*$",
    r"\b(45[01]|4\.[27]\.[01])[ -](please )?try again( later)?\W*$",
)


def put_off(symptom: Symptom) -> Verdict | None:
    """Recognise a first contact that is delayed on purpose."""
    bare = symptom.code in (450, 451) and symptom.at(Stage.RCPT_TO, Stage.DATA) and symptom.says(_BARE_LATER)
    return Verdict("greylisted") if bare or symptom.says(_GREYLIST) else None


_IDLE = any_of(r"\bidle\b|try reconnecting|time-?out waiting|timeout - closing|timeout exceeded|4\.4\.2\b")
_BUSY = any_of(
    r"temporar|try (again|later)|later|busy|system problem|internal|local error|unavailable|server error|queue",
    r"not available|aborted|4\.[34]\.\d\b",
)


def busy(symptom: Symptom) -> Verdict | None:
    """Recognise a server that cannot do it now, and one that never will until it is repaired."""
    if symptom.says(r"configuration (problem|error)|[45]\.3\.5\b|misconfigur|incorrectly configured"):
        return Verdict("server_misconfigured")
    if symptom.transient and symptom.says(r"temporary (\w+ )?lookup failure"):
        # Postfix cannot read one of its own tables.
        return Verdict("server_misconfigured")
    if symptom.code == 451 and symptom.says(r"4\.7\.1\b.*service unavailable"):
        # A broken mail filter (milter) makes Postfix say so for every message.
        return Verdict("server_misconfigured")
    if symptom.transient and symptom.says(r"resources|storage|\bdisk\b|no space"):
        return Verdict("server_temporary_failure", "contact_server_admin")
    if symptom.transient and symptom.says(_IDLE):
        return Verdict("server_temporary_failure", "reconnect_and_retry")
    if symptom.transient and symptom.says(_BUSY):
        return Verdict("server_temporary_failure")
    return None
