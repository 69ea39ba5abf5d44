"""What a request names never gives a right by being named: each such RPC says who makes sure that it exists and covers the reader.

Names that can stand for a right: a case, an item, a law, a presentation, a mandate, a consent, a grant, a transfer. A purpose is
a code that what gives the right names, too; by itself it stands for none. A filter may name them too, and opens nothing: it narrows what its list shows without it (libs/lists).
"""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tests.support import contracts
from tongban.options.v1 import options_pb2

NAMES = frozenset({"case", "grant", "presentation", "mandate", "consent", "transfer", "legal_basis", "law", "item"})
_CASE = (
    "the case is read for its parties, its department, its channel; others need the auditor's right, and only say why"
)
_CONTENT = "said of what is made, read by nobody for it"
_WORK = "the case itself is locked: its department, its parties, its channel"
_LICENSE = "license.core.authorization: holder, issuer, a presentation that binds reader and case, or the law by `handled_cases`"
_FILE = (
    "license.domain.material: owner, who handed it in, or who works on the case that it was put into (decision 0029)"
)
_ABROAD = "the region that asks has asked whose case it is (license.core.authorization, case_of); here region and case must fit"
_GRANT = "sharing.data.rules: whose grant, its time, its purpose; the case that it asks for is recorded, not looked up"
_BY_DUTY = "the permission alone gives it, to few duties; what is named is recorded"
_EXCHANGE = (
    "only as the token proves: person, firm, mandate, transfer (cases.incoming.checks); files are checked as references"
)
_REFERENCE = "references are checked by owner, case and digest when the case is accepted (cases.core.material_checks)"

ANSWERS = {
    "cases.v1.CaseService.CreateCase": f"mandates by identity.CheckMandate; {_REFERENCE}",
    "cases.v1.CaseService.UpdateCase": f"who the parties are, and by which mandate, stays; {_REFERENCE}",
    "cases.v1.CaseService.SubmitCase": _REFERENCE,
    "cases.v1.CaseService.SubmitCorrection": _REFERENCE,
    "cases.v1.CaseService.GetCase": _CASE,
    "cases.v1.CaseService.BatchGetCases": _CASE,
    "cases.v1.CaseService.ListCases": _CASE,
    "cases.v1.CaseService.LookupCaseByNumber": _CASE,
    "cases.v1.CaseService.ListCaseHistory": _CASE,
    "cases.v1.CaseService.GetClock": _CASE,
    "cases.v1.DeliveryService.CreateCaseDelivery": _WORK,
    "cases.v1.ExchangeService.SendCaseTransfer": f"mandates by identity.CheckMandate; {_REFERENCE}",
    "cases.v1.ExchangeService.SendCorrection": _REFERENCE,
    "cases.v1.ExchangeService.ReceiveCaseTransfer": _EXCHANGE,
    "cases.v1.ExchangeService.AcknowledgeCaseTransfer": "only the region that the transfer was sent to, of a case of its own",
    "cases.v1.ExchangeService.PushProgress": "only the region that the transfer was sent to",
    "cases.v1.ItemService.CreateServiceItem": _CONTENT,
    "cases.v1.ItemService.UpdateServiceItem": _CONTENT,
    "cases.v1.RatingService.CreateRating": _WORK,
    "identity.v1.AccessService.ExplainAccess": "the mandate by identity's own rules; it is told what comes of it, and opens nothing",
    "identity.v1.AccountService.GetPerson": f"people their own; {_BY_DUTY}",
    "identity.v1.AccountService.RevealPerson": f"people their own; {_BY_DUTY}",
    "identity.v1.AccountService.LookupPerson": _BY_DUTY,
    "identity.v1.ConsentService.GrantConsent": "the mandate by identity's own rules, the case limits what is given",
    "identity.v1.TokenService.ExchangeToken": "identity.domain.exchange: every party of a token is looked at again",
    "license.v1.LicenseService.IssueLicense": _CONTENT,
    "license.v1.LicenseService.GetLicense": f"{_LICENSE}; {_ABROAD}",
    "license.v1.LicenseService.ListLicenses": f"people their own; {_BY_DUTY}, and no face is shown",
    "license.v1.LicenseService.BatchGetLicenses": _LICENSE,
    "license.v1.LicenseService.LookupByIdentifier": _LICENSE,
    "license.v1.LicenseService.RevokeLicense": _CONTENT,
    "license.v1.LicenseService.DownloadLicense": f"{_LICENSE}; {_ABROAD}",
    "license.v1.MaterialService.UploadMaterial": "says what a file is for; who hands it in has it already",
    "license.v1.MaterialService.GetMaterial": _FILE,
    "license.v1.MaterialService.DownloadMaterial": f"{_FILE}; {_ABROAD}",
    "license.v1.PresentationService.CreatePresentation": "the consent by identity.CheckConsent, the case limits what is given",
    "license.v1.PresentationService.RedeemPresentation": f"a secret code; by name the very verifier, or who works on the case; {_ABROAD}",
    "license.v1.UseService.ListLicenseUses": "holders their own, the issuing department its own, auditors",
    "seal.v1.SealingService.SealDocument": "who the seal names as users, but its keeper",
    "seal.v1.SealingService.SealDigests": "who the seal names as users, but its keeper",
    "sharing.v1.DataService.Query": _GRANT,
    "sharing.v1.DataService.Compare": _GRANT,
    "sharing.v1.GrantService.CreateDataRequest": _CONTENT,
    "sharing.v1.GrantService.UpdateDataRequest": _CONTENT,
}
"""RPCs whose requests can name one, and what makes sure of it."""


def _fields(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    if message.full_name in seen or message.full_name.startswith("google."):
        return
    seen.add(message.full_name)
    for payload in contracts.payload_messages() if message == contracts.envelope() else ():
        yield from _fields(payload, seen)
    for each in message.fields:
        yield each
        if each.message_type is not None:
            yield from _fields(each.message_type, seen)


def _naming() -> set[str]:
    front = [each for each in contracts.methods() if options_pb2.AUDIENCE_INTERNAL not in each.audience]
    return {
        method.name.removeprefix("tongban.")
        for method in front
        if any(
            each.message_type is None and each.name in NAMES for each in _fields(method.descriptor.input_type, set())
        )
    }


def test_every_rpc_that_names_what_may_stand_for_a_right_says_who_makes_sure_of_it() -> None:
    assert _naming() == ANSWERS.keys()
