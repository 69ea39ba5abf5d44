"""What makes another able to make others able takes two human beings, and the contract says of each RPC whether it is so.

An RPC that answers with somebody's standing and changes it must say what it makes of it; the service test beside
(``tests/service/identity``, ``test_two_people*.py``) drives each that takes two.
"""

import pytest

from libs.access import roles
from libs.rpc.contract import Method
from services.identity.core.duties import ABLING, Duty
from tests.support import contracts
from tests.support.widening import takes_two, widening
from tongban.options.v1 import options_pb2

STANDING = {
    "identity.v1.Client",
    "identity.v1.Staff",
    "identity.v1.Substitution",
    "identity.v1.Region",
    "identity.v1.Upstream",
    "identity.v1.Mandate",
    "identity.v1.Consent",
    "identity.v1.Organization",
    "identity.v1.Verification",
    "identity.v1.ExchangeTokenResponse",
    "identity.v1.IssueServiceTokenResponse",
    "seal.v1.Seal",
    "seal.v1.Certificate",
}
"""What makes people and machines able: credentials, posts, trust, rights to act, levels, tokens, seals, certificates."""

NARROWS = {
    "ClientService.SuspendClient": "takes tokens away",
    "ClientService.RequestClient": "asks only: nobody has a token by it before administrators approved, but in a sandbox for what tells of nobody",
    "ClientService.RefuseClient": "what was asked for is never had",
    "AccountService.CloseOrganization": "nobody acts for it any more",
    "StaffService.CreateStaff": "no post comes with it, and without a post there is no token",
    "StaffService.UnassignStaff": "takes a post away",
    "StaffService.RevokeSubstitution": "who stands in does so no more",
    "RegionService.SetRegionCodes": "a code opens nothing: names, tokens and trust go by the region's id",
    "RegionService.SuspendRegion": "takes trust away",
    "RegionService.EndRegion": "takes trust away",
    "SignInService.EndUpstream": "takes trust away",
    "MandateService.RevokeMandate": "takes a right away",
    "ConsentService.WithdrawConsent": "takes a right away",
    "SealService.RevokeSeal": "takes a seal away",
    "CertificateService.RevokeCertificate": "takes a certificate away",
}
"""RPCs that change somebody's standing and widen nothing, each with why."""


def _short(method: Method) -> str:
    return ".".join(method.name.split(".")[-2:])


def _changes_standing(method: Method) -> bool:
    answer = str(method.descriptor.output_type.full_name).removeprefix("tongban.")
    writes = method.writes or answer.endswith("TokenResponse")
    return answer in STANDING and writes


def test_every_rpc_that_changes_somebodys_standing_says_what_it_makes_of_it() -> None:
    found = {_short(method) for method in contracts.methods() if _changes_standing(method)}
    said = {_short(method) for method in contracts.methods() if widening(method)}
    assert len(found) > 20
    assert found - said == set(NARROWS)
    assert said - found == set()


@pytest.mark.parametrize("method", takes_two(), ids=_short)
def test_the_comment_tells_of_the_two(method: Method) -> None:
    said = " ".join(contracts.comment_of(method.name).split())
    assert "two people" in said or "second human being" in said or "stands behind" in said


def test_approvals_are_for_people_who_saw_what_they_approve() -> None:
    for method in takes_two():
        if _short(method).split(".")[1].startswith(("Approve", "Activate")):
            assert list(method.access.actors) == [options_pb2.ACTOR_KIND_STAFF], method.name
            rules = contracts.rules_of(method.descriptor.input_type.fields_by_name["etag"])
            assert rules.string.min_len == 1, method.name


def _holds(duty: Duty, permission: str) -> bool:
    patterns = roles.of_duties([duty])
    return any(
        pattern in ("*", permission) or (pattern.endswith(".*") and permission.startswith(pattern[:-1]))
        for pattern in patterns
    )


def test_duties_that_make_others_able_are_those_that_take_two_to_give() -> None:
    """Found from the contract: who may call what takes two, make seals, or read what everybody did."""
    wanted = {method.access.permission for method in takes_two()}
    wanted |= {method.access.permission for method in contracts.methods() if _short(method) == "SealService.CreateSeal"}
    wanted |= {
        method.access.permission for method in contracts.methods() if _short(method) == "AuditService.ListAuditRecords"
    }
    assert {duty for duty in Duty if any(_holds(duty, permission) for permission in wanted)} == ABLING
