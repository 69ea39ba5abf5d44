"""What other features have of signing in: by password, by passkey, and what is set at opened pages."""

from services.identity.signin.by_passkey import PasskeyAttempt, PasskeySignIns
from services.identity.signin.enrolling import EnrollmentOver, Enrollments
from services.identity.signin.opening import (
    NOBODY,
    REFUSED,
    OpenedSession,
    SessionOpening,
    Shown,
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
    "EnrollmentOver",
    "EnrollmentRow",
    "Enrollments",
    "OpenedSession",
    "PasskeyAttempt",
    "PasskeySignIns",
    "PasswordAttempt",
    "ProvenPassword",
    "SessionOpening",
    "Shown",
    "SignInRefused",
    "SignInTooSoon",
    "SignIns",
    "digest",
    "page_command",
]
