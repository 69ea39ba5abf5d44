"""Every RPC by which staff handle somebody's affair says so in its contract, and the permission stage holds it."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2
from libs.access.actor import from_claims
from libs.clock import SystemClock
from libs.errors import PermissionDenied
from libs.rpc import refusals
from libs.rpc.contract import Method
from libs.rpc.stages.permission import check
from tests.support import contracts
from tests.support.handling import human_only
from tests.support.kinds import CLAIMED, KINDS, claims_of
from tongban.options.v1 import options_pb2

NOT_OF_SOMEBODY = {
    "tongban.identity.v1.AccountService.CreatePerson": "an account of somebody who has none yet; it gives no right",
    "tongban.identity.v1.ClientService.SuspendClient": "takes rights away, and nobody gains by suspending what is theirs",
    "tongban.identity.v1.ClientService.RequestClient": "asks only; clerks serve nobody near to them at a window, and who approves is judged then",
    "tongban.identity.v1.StaffService.UnassignStaff": "takes a right away, which anybody may do to themselves",
    "tongban.license.v1.PresentationService.RedeemPresentation": "a read, judged and recorded as a use",
    "tongban.license.v1.MaterialService.UploadMaterial": "keeps a file for its owner; what it is worth is judged where a case takes it",
    "tongban.seal.v1.CertificateService.IssueCertificate": "of a key of the region's own; whom a seal is of is judged where the seal is made",
    "tongban.seal.v1.SealingService.SealDigests": "judged by the users that the seal names, and its keeper refused as a human being",
    "tongban.seal.v1.SealingService.SealDocument": "judged by the users that the seal names, and its keeper refused as a human being",
    "tongban.sharing.v1.CatalogService.CreateDataResource": "of a department",
    "tongban.sharing.v1.CatalogService.SubmitDataResource": "of a department",
    "tongban.sharing.v1.CatalogService.PublishDataResource": "of a department",
    **{
        f"tongban.sharing.v1.GrantService.{step}DataRequest": "of two departments; who takes which step is told by `excludes`"
        for step in ("Create", "Update", "Submit", "PreReview", "Review", "Approve", "Refuse")
    },
    "tongban.sharing.v1.MountService.CreateDataMount": "of a department",
    "tongban.sharing.v1.MountService.CheckDataMount": "of a department",
    "tongban.uploads.v1.UploadService.AppendUpload": "the caller's own upload, which nobody else sees",
}
"""RPCs whose messages could name somebody and that handle nobody's affair, each with why."""


def _fields(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for each in message.fields:
        yield each
        if each.message_type is not None:
            yield from _fields(each.message_type, seen)


def _names_somebody(field: FieldDescriptor) -> bool:
    """Whether a field holds a person or an organisation: by its rule, or because it is personal."""
    options = field.GetOptions()
    rules = options.Extensions[validate_pb2.field]
    patterns = (rules.string.pattern, rules.repeated.items.string.pattern)
    told = any(word in pattern for pattern in patterns for word in ("persons", "organizations"))
    return told or bool(options.Extensions[options_pb2.field].personal)


def _is_of_somebody(method: Method) -> bool:
    types = (method.descriptor.input_type, method.descriptor.output_type)
    return any(_names_somebody(field) for each in types for field in _fields(each, set()))


def _by_staff(method: Method) -> bool:
    access = method.access
    by_staff = {options_pb2.ACTOR_KIND_STAFF, options_pb2.ACTOR_KIND_ASSISTED}
    return method.writes and method.for_fronts and (not access.actors or not by_staff.isdisjoint(access.actors))


def test_what_staff_do_in_somebodys_affair_is_declared() -> None:
    handled = {method.name for method in contracts.methods() if _by_staff(method) and _is_of_somebody(method)}
    declared = {method.name for method in contracts.methods() if method.access.handling in refusals.IMPARTIAL}
    assert len(handled) > 30
    assert handled - declared - NOT_OF_SOMEBODY.keys() == set()
    assert NOT_OF_SOMEBODY.keys() <= {method.name for method in contracts.methods()}


@pytest.mark.parametrize(
    "method", [each for each in contracts.methods() if human_only(each)], ids=lambda method: method.name
)
def test_no_machine_takes_a_step_that_a_human_being_must_take(method: Method) -> None:
    now = SystemClock().now()
    said = {"scope": "*", "acr": "4", "auth_time": int(now.timestamp())}
    check(method, from_claims(claims_of("STAFF", "320402") | said | {"actor_kind": "STAFF"}, ""), now)
    for kind in KINDS:
        machine = claims_of(kind, "320402") | said | {"actor_kind": CLAIMED[kind], "human": ""}
        with pytest.raises(PermissionDenied, match="ACTOR_NOT_ALLOWED"):
            check(method, from_claims(machine, ""), now)


@pytest.mark.parametrize(
    "method",
    [each for each in contracts.methods() if each.access.handling in refusals.IMPARTIAL],
    ids=lambda method: method.name,
)
def test_the_contract_tells_what_staff_are_refused_with(method: Method) -> None:
    assert "ACTING_ON_SELF" in refusals.refusals(method)
