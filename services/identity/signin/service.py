"""What other features have of signing in: by password, by passkey, and what is set at opened pages."""

from services.identity.signin.by_passkey import PasskeyAttempt, PasskeySignIns
from services.identity.signin.enrolling import EnrollmentOver, Enrollments
from services.identity.signin.opening import OpenedSession, SignInRefused, SignInTooSoon, digest
from services.identity.signin.rules import LONGEST_NAME, AuthenticatorKind, EnrollmentRow
from services.identity.signin.sign_ins import PasswordAttempt, ProvenPassword, SignIns

__all__ = [
    "LONGEST_NAME",
    "AuthenticatorKind",
    "EnrollmentOver",
    "EnrollmentRow",
    "Enrollments",
    "OpenedSession",
    "PasskeyAttempt",
    "PasskeySignIns",
    "PasswordAttempt",
    "ProvenPassword",
    "SignInRefused",
    "SignInTooSoon",
    "SignIns",
    "digest",
]
