"""What other features have of signing in: by password, by a key, and what is set at opened pages."""

from services.identity.signin.by_certificate import CertificateJudge
from services.identity.signin.by_key import KeyAttempt, KeySignIns
from services.identity.signin.by_passkey import PasskeyJudge
from services.identity.signin.enrolling import EnrollmentOver, Enrollments
from services.identity.signin.opening import (
    NOBODY,
    REFUSED,
    OpenedSession,
    SessionOpening,
    Shown,
    SignInNotJudged,
    SignInRefused,
    SignInTooSoon,
    digest,
    page_command,
)
from services.identity.signin.rules import ALONE, ELSEWHERE, LONGEST_NAME, AuthenticatorKind, EnrollmentRow
from services.identity.signin.sign_ins import PasswordAttempt, ProvenPassword, SignIns

__all__ = [
    "ALONE",
    "ELSEWHERE",
    "LONGEST_NAME",
    "NOBODY",
    "REFUSED",
    "AuthenticatorKind",
    "CertificateJudge",
    "EnrollmentOver",
    "EnrollmentRow",
    "Enrollments",
    "KeyAttempt",
    "KeySignIns",
    "OpenedSession",
    "PasskeyJudge",
    "PasswordAttempt",
    "ProvenPassword",
    "SessionOpening",
    "Shown",
    "SignInNotJudged",
    "SignInRefused",
    "SignInTooSoon",
    "SignIns",
    "digest",
    "page_command",
]
