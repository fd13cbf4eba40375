"""What a refusal says about the sender, the recipient and the message."""

from __future__ import annotations

from ...findings import Stage
from ..context import Fact
from ..symptom import Symptom
from ..wording import any_of
from .verdict import Verdict

_TEST_MODE = any_of(
    r"sandbox (sub)?domain|for test purposes|(test|trial) (mode|account)|in (the )?sandbox|free accounts",
    r"only send (test(ing)? )?e?mails? to|authori[sz]ed recipients",
)


def test_mode(symptom: Symptom) -> Verdict | None:
    """Recognise an account that may only write to confirmed addresses."""
    if symptom.says(_TEST_MODE):
        return Verdict("sandbox_restricted")
    if symptom.says(r"address(es)? (is|are) not verified") and _recipient_is_named(symptom):
        return Verdict("sandbox_restricted")
    return None


_DOMAIN_CHECKED = any_of(
    r"\bspf\b|\bdkim\b|\bdmarc\b|[45]\.7\.(2[0-46-9]|515|509)\b|sender policy framework|required authentication level",
    r"unauthenticated e?mail|sender is unauthenticated|domain authentication fail|not accepted for policy reasons",
    r"(fails? to|does not|did not|doesn.t) pass .{0,20}auth\w* checks?|does ?n.t have auth\w* information",
)


#: Google's pace limit has a neighbouring number; Yahoo marks a phishing text so.
_NOT_THE_DOMAIN = any_of(r"\b[45]\.7\.28\b|\[ph\d+\]")


def domain_not_covered(symptom: Symptom) -> Verdict | None:
    """Recognise a receiver that checked SPF, DKIM or DMARC."""
    if symptom.at(Stage.AUTH) or not symptom.says(_DOMAIN_CHECKED) or symptom.says(_NOT_THE_DOMAIN):
        return None
    freemail = symptom.says(r"(from|of) (yahoo|gmail|aol|hotmail|outlook|icloud)\.com")
    return Verdict("domain_auth_failed", "send_through_relay" if freemail else "")


_UNPROVED = any_of(
    r"verified sender|not (a |been |yet )?(verified|confirmed|validated)|unverified|unconfigured sending domain",
    r"unregistered domain|sender (identity|signature)|from/sender name is not valid|5\.7\.750\b|not an approved sender",
    r"domain .{0,60}not (been )?(registered|configured|added|set up|authori[sz]ed)|from .{0,60}is not allowed$",
    r"(verify|validate) (your|the|this) (domain|sender|sending|from|e?mail)|sender .{0,20}not (active|approved)",
)


def sender_unproved(symptom: Symptom) -> Verdict | None:
    """Recognise a service that wants the sender or its domain verified first."""
    if symptom.says(_UNPROVED) and not symptom.says(r"recipient address|user unknown"):
        return Verdict("sender_not_verified")
    return None


_FOREIGN = any_of(
    r"not owned by|sendasdenied|send as\b|permissions? to send|5\.7\.60\b|5\.2\.252\b|ses:send|relaying disallowed as",
    r"(must|should|does not|doesn.t|not) (be )?(the )?(same|equal|match)|(one|an address) of (your|this|the) a",
    r"restricted to sending|must use this domain|may not send|not (allowed|permitted|authori[sz]ed) to (send|use)\b",
    r"sender .{0,60}not (allowed|permitted|authori[sz]ed|match|belong)|(from|sender) address .{0,30}(is not|mismatch)",
    r"sender address rejected: (access|not (allow|auth|permit)|you are|policy|mismatch)|mail from .{0,30}(auth|login)",
    r"spoof|masquerad",
)
_ANOTHER_SUBJECT = any_of(r"\bspf\b|send (e?mail )?directly|valid rfc|not a valid|does ?n.t exist|does not exist")


def sender_foreign(symptom: Symptom) -> Verdict | None:
    """Recognise a sender that the signed-in account may not use."""
    if symptom.says(_FOREIGN) and not symptom.says(_ANOTHER_SUBJECT):
        return Verdict("sender_not_owned", "grant_send_permission" if symptom.says(r"\bses:send") else "")
    if symptom.at(Stage.MAIL_FROM) and symptom.says(r"mailbox (is )?(unavailable|unknown|not found)"):
        # At this step the mailbox spoken of is the sender's.
        return Verdict("sender_not_owned")
    if symptom.says(r"address rejected: access denied") and symptom.context.knows(Fact.SENDER_LIST):
        return Verdict("sender_not_owned")
    return None


_NO_SUCH_SENDER = any_of(
    r"(bad|invalid|illegal|malformed) (sender|mail from|from(?! header)|return|reverse|envelope)|blank from",
    r"provide a valid from",
    r"sender (address )?rejected: (domain|need|user|undeliv|unverif|malform|invalid|host|mail|unknown)",
    r"sender (address )?(verif\w* fail|is invalid|syntax|unknown|.{0,20}not (a )?valid)|unknown sender",
    r"from:? (address(es)?|domain)?:? ?(is )?(invalid|not valid|are not allowed)|null (sender|mx)",
    r"verification failed for <",
    r"domain of sender|(required|needed) for sender|sender.{0,3} domain .{0,30}(exist|resolv|not found|invalid)",
    r"(could not|unable to|cannot) (verify|resolve) sender|mail from .{0,30}(invalid|syntax|required)",
    r"[45]\.1\.[78]\b|5\.7\.27\b",
)


def sender_invalid(symptom: Symptom) -> Verdict | None:
    """Recognise a sender that cannot exist."""
    if symptom.at(Stage.RCPT_TO) and symptom.says(r"5\.1\.8\b.*access denied"):
        return None
    if symptom.says(r"not owned by"):
        return None
    return Verdict("sender_address_invalid") if symptom.says(_NO_SUCH_SENDER) else None


_TOO_LARGE = any_of(
    r"message (?!.{0,15}\bline).{0,30}(too (large|big|long)|size exceeds|exceed(s|ed)? (the |google.s )?(max"
    r"|size|fixed|limit|message))",
    r"(?<!mailbox )size (limit|exceed)|exceed.{0,30}size|max(imum)? (message )?size|too large|oversize|databytes",
    r"maxsubmission",
    r"[45]\.3\.4\b|[45]\.2\.3\b|taille (limite|maximale)|zu gro(ß|ss)|demasiado grande|mesg?too ?big",
)


def too_large(symptom: Symptom) -> Verdict | None:
    """Recognise a message that is larger than the server takes."""
    return Verdict("message_too_large") if symptom.says(_TOO_LARGE) else None


_NO_SUCH_RECIPIENT = any_of(
    r"(user|recipient|mailbox|address|account) (is )?(unknown|not found|unavailable|disabled|inactive)|single label",
    r"(unknown|invalid) (user|recipient|mailbox|local|address)|no such (user|mailbox|recipient|address|person|domain)",
    r"does ?n.t exist|does not exist|recipient (address )?(rejected|refused|not|denied|invalid|unknown|is|reserved)",
    r"[45]\.1\.([1-6]|10)\b|[45]\.2\.[12]\b|5\.4\.1\b|undeliverable|unrouteable|no mailbox|tried to reach|over ?quota",
    r"mailbox (is )?full|address (rejected|unknown|syntax)|can.t (receive|accept)|not our (customer|user)|valid rfc",
    r"quota (exceeded|violation)|recipient domain|storage (allocation|limit)",
    r"no longer (valid|exists?|active|available)",
    r"mailbox size|destinataire|empf(ä|ae?)nger.{0,20}(unbekannt|existiert|abgelehnt)|doesn.t have an? ",
    r"banned recipient|address in mailbox",
)


def recipient_refused(symptom: Symptom) -> Verdict | None:
    """Recognise a recipient that does not exist, is full, or is not written as it must be."""
    if symptom.says(r"internationali[sz]ed|smtputf8|\bascii"):
        at_sender = symptom.at(Stage.MAIL_FROM)
        return (
            Verdict("sender_address_invalid")
            if at_sender
            else Verdict("recipient_rejected", "use_ascii_address", "ascii")
        )
    if symptom.at(Stage.RCPT_TO) and symptom.code == 555:
        return Verdict("recipient_rejected", "use_ascii_address")
    if symptom.says(_NO_SUCH_RECIPIENT):
        full = symptom.transient and symptom.says(r"quota|full")
        return Verdict("recipient_rejected", transient=True if full else None)
    return None


_BADLY_BUILT = any_of(
    r"rfc ?-?(2?[58]22|532[12])\b|line (is )?(too long|length)|malformed|bare (lf|cr|line|newline)|[45]\.6\.\d+\b",
    r"(missing|invalid|bad|duplicate|multiple|required|illegal|empty|no) .{0,40}header|message-?id|multiple from",
    r"header.{0,30}(missing|invalid|malformed|not valid|required|duplicat|empty|error|too)|json pars|x-msys",
    r"transaction failed: (expected|invalid|missing|unexpected|illegal|duplicate)",
    r"reject due to policy restrictions(?! \(ip)|headers? (are|is) not|(non-?|not )(rfc )?complian|5\.7\.512\b",
    r"mime (error|structure|part|message)",
)


def badly_built(symptom: Symptom) -> Verdict | None:
    """Recognise a message whose headers or lines break the rules."""
    if symptom.says(_BADLY_BUILT) or symptom.shows(r"[?&]c=(h[a-z]|r\d)"):
        return Verdict("message_malformed")
    return None


_CONTENT = any_of(
    r"\[ph\d+\]|spam|virus|malware|phish|suspicious|security issue|attachment|file ?(extension|type|name)",
    r"\burls?\b|\blinks?\b",
    r"content|dt:s[pu]m|unsolicited|5\.7\.520\b|banned|forbidden|bulk mail|junk|trojan|\bib212|dangerous|prohibited",
)


def content_refused(symptom: Symptom) -> Verdict | None:
    """Recognise a filter that dislikes the text, a link or an attachment."""
    if not symptom.says(_CONTENT):
        return None
    return Verdict("message_malformed" if symptom.context.knows(Fact.NO_MESSAGE_ID) else "content_rejected")


def _recipient_is_named(symptom: Symptom) -> bool:
    """Tell whether the address that failed is the recipient's, not the sender's."""
    context = symptom.context
    if context.knows(Fact.FAILED_IDENTITY_IS_RECIPIENT):
        return True
    recipient, sender = context.recipient.lower(), context.sender.lower()
    return bool(recipient) and recipient in symptom.text and recipient != sender
