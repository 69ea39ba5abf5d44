"""What identity holds on persons and firms, kind by kind, as they are told of it (OwnDataService)."""

from libs.owndata.holdings import HeldKind
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import code_service_pb2 as codes
from tongban.identity.v1 import consent_service_pb2 as consents
from tongban.identity.v1 import mandate_service_pb2 as mandates
from tongban.identity.v1 import sign_in_service_pb2 as sign_ins
from tongban.identity.v1 import verification_service_pb2 as verifications

_PERSONS = ("persons",)
HELD = (
    HeldKind(
        "Person",
        "persons WHERE id = CAST(:id AS uuid)",
        "identity.v1.AccountService.GetPerson",
        lambda subject: accounts.GetPersonRequest(name=subject),
        _PERSONS,
    ),
    HeldKind(
        "Organization",
        "organizations WHERE id = CAST(:id AS uuid)",
        "identity.v1.AccountService.GetOrganization",
        lambda subject: accounts.GetOrganizationRequest(name=subject),
        ("organizations",),
    ),
    HeldKind(
        "Verification",
        "verifications WHERE person = CAST(:id AS uuid)",
        "identity.v1.VerificationService.ListVerifications",
        lambda subject: verifications.ListVerificationsRequest(parent=subject),
        _PERSONS,
    ),
    HeldKind(
        "Mandate",
        "(SELECT id FROM mandates WHERE principal = :subject UNION SELECT id FROM mandates WHERE agent = :subject) AS mine",
        "identity.v1.MandateService.ListMandates",
        lambda _subject: mandates.ListMandatesRequest(),
    ),
    HeldKind(
        "Consent",
        "consents WHERE subject = :subject",
        "identity.v1.ConsentService.ListConsents",
        lambda subject: consents.ListConsentsRequest(subject=subject),
    ),
    HeldKind(
        "Authenticator",
        "authenticators WHERE person = :subject",
        "identity.v1.SignInService.ListAuthenticators",
        lambda _subject: sign_ins.ListAuthenticatorsRequest(),
        _PERSONS,
    ),
    HeldKind(
        "Session",
        "sessions WHERE person = :subject",
        "identity.v1.SignInService.ListSessions",
        lambda _subject: sign_ins.ListSessionsRequest(),
        _PERSONS,
    ),
    HeldKind(
        "SignInGrant",
        "sign_in_grants WHERE person = :subject",
        "identity.v1.SignInService.ListSignInGrants",
        lambda _subject: sign_ins.ListSignInGrantsRequest(),
        _PERSONS,
    ),
    HeldKind(
        "CredentialBinding",
        "credential_bindings WHERE person = CAST(:id AS uuid)",
        "identity.v1.CodeService.ListCredentialBindings",
        lambda subject: codes.ListCredentialBindingsRequest(person=subject),
        _PERSONS,
    ),
)
"""Documents and contact points are told with the account."""
