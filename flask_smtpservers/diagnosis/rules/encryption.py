"""STARTTLS, TLS and certificates."""

from __future__ import annotations

from ...findings import Stage
from ...smtp.auth import AUTOMATIC, ON_DEMAND
from ...smtp.endpoint import Security
from ..context import Context, Fact
from ..kind import Kind
from ..symptom import Symptom
from ..wording import any_of
from .reaching import mode_mismatch
from .verdict import Verdict

# X509_V_ERR_… of OpenSSL
_EXPIRED, _NOT_YET_VALID = 10, 9
_SELF_SIGNED, _SELF_SIGNED_IN_CHAIN = 18, 19
_NO_ISSUER_LOCALLY, _NO_ISSUER, _LEAF_UNVERIFIED = 20, 2, 21
_OTHER_NAME, _OTHER_ADDRESS = 62, 64


def extension_missing(symptom: Symptom) -> Verdict | None:
    """Explain why STARTTLS or AUTH is not there."""
    refused_command = symptom.at(Stage.STARTTLS) and symptom.code in (500, 501, 502, 503)
    if symptom.transient or not (symptom.kind is Kind.NOT_OFFERED or refused_command):
        return None
    if symptom.says(r"internationali[sz]ed|smtputf8|non-ascii|8bitmime"):
        return Verdict("recipient_rejected", "use_ascii_address", "ascii")
    if symptom.at(Stage.AUTH):
        return login_not_offered(symptom)
    if symptom.at(Stage.STARTTLS, Stage.TLS) or symptom.says(r"starttls"):
        return _starttls_missing(symptom.context)
    return None


def login_not_offered(symptom: Symptom) -> Verdict:
    """Tell a server without login from one that hides it until the connection is encrypted."""
    context = symptom.context
    if symptom.offered:
        return _other_methods(symptom)
    if symptom.says(r"unencrypted connection|requires? (tls|ssl|encrypt)"):
        return Verdict("starttls_required")
    if context.security in (Security.STARTTLS, Security.SSL):
        offers_others = context.features is not None and any(name.startswith("AUTH") for name in context.features)
        return Verdict("auth_method_unsupported" if offers_others else "auth_not_offered")
    if context.features is not None:
        offers_login = "AUTH" in context.features
        if "STARTTLS" in context.features:
            return Verdict("starttls_required", variant="ours" if offers_login else "")
        return Verdict("blocked_by_policy", variant="plaintext") if offers_login else Verdict("auth_not_offered")
    hides_login = context.is_public_service or context.port in (587, 588) or symptom.says(r"when not advertised")
    return Verdict("starttls_required" if hides_login else "auth_not_offered")


def _other_methods(symptom: Symptom) -> Verdict:
    """Name a sign-in method that would be offered: the automatic ones before those that must be chosen."""
    variant, method = "", ""
    if any(name in symptom.offered for name in AUTOMATIC):
        variant, method = "automatic" if symptom.wanted else "", symptom.wanted
    else:
        method = next((name for name in ON_DEMAND if name in symptom.offered), "")
        variant = "other" if method else ""
    words = {"method": method, "methods": ", ".join(symptom.offered)}
    return Verdict("auth_method_unsupported", variant=variant, words=words)


def tls_failed(symptom: Symptom) -> Verdict | None:
    """Explain a handshake that did not come about."""
    if symptom.kind is not Kind.TLS and not (symptom.kind is Kind.CLOSED and symptom.at(Stage.TLS, Stage.STARTTLS)):
        return None
    context = symptom.context
    if symptom.says(r"unknown ca\b"):
        return Verdict("cert_self_signed")
    if symptom.says(r"certificate required|did not return a certificate|no certificate (returned|assigned)"):
        return Verdict("client_certificate_needed")
    if symptom.says(_NOT_TLS):
        if context.security is Security.STARTTLS or context.knows(Fact.MODE_FITS, Fact.SPEAKS_TLS):
            return Verdict("tls_version_or_cipher")
        return Verdict("starttls_mode_needed")
    if symptom.says(_NO_COMMON_TLS):
        return Verdict("tls_version_or_cipher")
    if symptom.says(r"\beof\b|reset|closed|aborted|disconnect") or symptom.kind is Kind.CLOSED:
        at_handshake_of_ssl = symptom.at(Stage.TLS) and context.security is Security.SSL
        wrong_mode = mode_mismatch(context)
        if at_handshake_of_ssl and wrong_mode:
            return wrong_mode
        fix = "turn_off_starttls" if context.security is not Security.SSL else ""
        return Verdict("server_misconfigured", fix, "starttls" if fix else "")
    return mode_mismatch(context) or Verdict("tls_version_or_cipher")


#: What comes back is not TLS at all.
_NOT_TLS = any_of(
    r"wrong version number|does not look like a tls handshake|unknown protocol|packet length too long|record layer",
    r"plaintext|not a tls|unexpected message|bad record type|invalid (content )?type|frame size|corrupted frame",
    r"unexpected packet format|parse tls packet|unrecogni[sz]ed ssl message|not an ssl|typically reserved for plain",
)
_NO_COMMON_TLS = any_of(
    r"unsupported protocol|protocol version|no (shared|ciphers|common|protocols|suitable)|handshake failure|too small",
    r"sigalg|signature algorithm|inappropriate fallback|legacy|weak|insufficient security|illegal parameter|cipher",
    r"version too low|tlsv1 alert|sslv3 alert|tls ?1\.[01]\b|selected unsupported",
)


def certificate_refused(symptom: Symptom) -> Verdict | None:
    """Explain why the certificate is not trusted."""
    if symptom.kind is not Kind.CERTIFICATE:
        return None
    context, code = symptom.context, symptom.verify_code
    if context.greeted_by_stranger:
        return Verdict("connection_intercepted")
    # Go says "has expired or is not yet valid" for both, and then on which side of the time it is.
    early = symptom.says(r"not yet valid") and not symptom.says(r"expired(?!.* is before )")
    if code == _NOT_YET_VALID or early:
        return Verdict("cert_not_yet_valid")
    if symptom.at(Stage.CERTIFICATE) and _SCANNERS.search(context.certificate_issuer.lower()):
        return Verdict("connection_intercepted")
    if code == _EXPIRED and context.knows(Fact.LEAF_IN_DATE):
        # Then it is one above it that has run out, as an old list of authorities still has it.
        return Verdict("ca_store_outdated")
    if code == _EXPIRED or symptom.says(r"expired"):
        return Verdict("cert_expired", "contact_provider" if context.is_public_service else "")
    if code in (_OTHER_NAME, _OTHER_ADDRESS) or symptom.says(_OTHER_NAME_WORDS):
        return _other_name(context)
    if code == _SELF_SIGNED_IN_CHAIN or symptom.says(r"self[- ]signed certificate in (certificate )?chain|num=19"):
        own = context.host and not context.is_public_service
        return Verdict("cert_self_signed", variant="unknown") if own else Verdict("connection_intercepted")
    if code == _SELF_SIGNED or symptom.says(r"self[- ]signed|depth zero"):
        return Verdict("connection_intercepted") if context.is_public_service else Verdict("cert_self_signed")
    if code == _NO_ISSUER or symptom.says(r"locally looked up"):
        return Verdict("ca_store_outdated")
    if code in (_NO_ISSUER_LOCALLY, _LEAF_UNVERIFIED) or symptom.says(_NO_ISSUER_WORDS):
        return _no_issuer(context, one_name_for_all=symptom.says(_ANY_STRANGER))
    if symptom.says(r"chain ?error") and context.is_public_service:
        return Verdict("connection_intercepted")
    return Verdict("ca_store_outdated" if context.is_public_service else "cert_self_signed")


#: Programs and appliances that open encrypted connections to look inside, by what they call themselves.
_SCANNERS = any_of(
    r"\b(avast|avg|kaspersky|eset|bitdefender|norton|mcafee|sophos|drweb|dr\.web|g ?data|trend micro)\b",
    r"\b(fortinet|fortigate|zscaler|palo alto|netskope|blue ?coat|watchguard|barracuda|umbrella)\b",
    r"(mail|web|ssl|email) (shield|scanner|inspection|filter)",
)
_OTHER_NAME_WORDS = any_of(
    r"match|alt ?names|alternative names|is valid for .*not |not valid for|wrong (host|name|common)",
)
_NO_ISSUER_WORDS = any_of(
    r"issuer|first certificate|leaf signature|unknown ?authority|untrusted root|certification path",
)
#: Go and Java say the same of a private certificate, which is common, and of a missing intermediate, which is rare.
_ANY_STRANGER = any_of(r"signed by unknown ?authority|certification path")


def _other_name(context: Context) -> Verdict:
    if context.is_public_service and not context.is_private and not _names_own_provider(context):
        # A provider's documented host always shows its own name: somebody else answers.
        return Verdict("connection_intercepted")
    if context.is_address:
        return Verdict("cert_hostname_mismatch", "trust_or_replace_certificate", "address")
    if context.certificate_names:
        names = ", ".join(context.certificate_names[:3])
        return Verdict("cert_hostname_mismatch", variant="named", words={"names": names})
    return Verdict("cert_hostname_mismatch")


def _names_own_provider(context: Context) -> bool:
    """Tell whether the certificate is for a documented server of the same provider, under another of its names."""
    owner = context.known_provider
    return owner is not None and not set(owner.hosts).isdisjoint(context.certificate_names)


def _no_issuer(context: Context, *, one_name_for_all: bool) -> Verdict:
    if context.knows(Fact.AUTHORITIES_MISSING):
        return Verdict("ca_store_outdated")
    if context.is_public_service:
        # Everybody knows the authority of a big provider: if this machine can verify others, somebody else answers.
        return Verdict("connection_intercepted" if context.knows(Fact.OTHERS_VERIFY) else "ca_store_outdated")
    if context.is_private or one_name_for_all:
        return Verdict("cert_self_signed", variant="unknown")
    return Verdict("cert_chain_incomplete")


def _starttls_missing(context: Context) -> Verdict:
    if context.features is not None and any(
        set(name) >= {"X"} and name.startswith("XXXX") for name in context.features
    ):
        # A middlebox overwrites the keyword STARTTLS with X.
        return Verdict("connection_intercepted")
    if context.greeted_by_stranger:
        return Verdict("connection_intercepted")
    if any(way.security is Security.SSL and way.host == context.host for way in context.works):
        return Verdict("starttls_not_offered", variant="ssl_works")
    return Verdict("starttls_not_offered", variant="public" if context.is_public_service else "")
