"""Every contract says what it must: walks all descriptors of ``proto/gen/tongban.binpb``."""

import re
from collections import Counter

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from buf.validate import validate_pb2
from libs.access.actor import ANONYMOUS
from libs.errors import Code
from libs.rpc import refusals
from libs.rpc.contract import Method
from libs.rpc.stages.disclosure import discloses
from libs.rpc.stages.validation import keeps_unknown
from tests.support import contracts
from tongban.errors.v1 import error_reason_pb2
from tongban.options.v1 import options_pb2

_PERMISSION = re.compile(r"[a-z]+\.[a-z]+[a-zA-Z]*\.[a-z]+[a-zA-Z]*")
_WORD = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b")
_REASONS = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:]}
_RANGES = {
    "general": (1, 99),
    "identity": (100, 199),
    "license": (200, 299),
    "seal": (300, 399),
    "cases": (400, 499),
    "sharing": (500, 599),
}
_OF_REGIONS = {options_pb2.ACTOR_KIND_REGION_SERVICE, options_pb2.ACTOR_KIND_REGION_STAFF}
_PLACES = {options_pb2.AUDIENCE_FRONT, options_pb2.AUDIENCE_REGION, options_pb2.AUDIENCE_INTERNAL}
_FRONTS = {options_pb2.AUDIENCE_FRONT, options_pb2.AUDIENCE_REGION}
_PERSONAL_NAMES = {"full_name", "phone", "lines", "mobile", "email", "id_number", "birth_date", "contact_name"}


def said_of(method: Method) -> str:
    """The comment of an RPC in one line."""
    return " ".join(contracts.comment_of(method.name).split())


def test_everything_is_commented() -> None:
    assert [f"{each.kind} {each.full_name}" for each in contracts.elements() if not each.comment] == []


def test_what_is_called_idempotent_is_declared_so() -> None:
    """Gateway and neighbours send again, across a restart, what the contract's declarations allow; nobody reads comments."""
    offenders = []
    for method in contracts.methods():
        said = "dempotent" in said_of(method) and not re.search(r"[Nn]ot idempotent", said_of(method))
        declared = method.descriptor.GetOptions().HasField("idempotency_level")
        if not declared or said != method.repeatable or method.writes > said:
            offenders.append(method.name)
    assert offenders == []


def test_what_has_no_side_effects_leaves_nothing_behind() -> None:
    """A read that is recorded may be repeated, and yet each time leaves its record: it is IDEMPOTENT."""
    safe = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    assert [
        method.name
        for method in contracts.methods()
        if method.descriptor.GetOptions().idempotency_level == safe and (method.writes or discloses(method))
    ] == []


_ABROAD = "nothing is recorded of the holder; a question that leaves for another region is"
_NOT_ALWAYS_ON_RECORD = {
    "tongban.owndata.v1.OwnDataService.DownloadOwnData": "what is one's own; lists that are recorded whoever asks leave a record",
    "tongban.identity.v1.CodeService.IssueCode": "each call makes another code, which is counted; it tells of nobody",
    "tongban.identity.v1.TokenService.IssueServiceToken": "each call makes another token, and nothing remembers it",
    "tongban.license.v1.VerificationService.VerifyLicense": _ABROAD,
    "tongban.license.v1.VerificationService.VerifyLicenses": _ABROAD,
}


def test_a_read_that_is_recorded_says_so() -> None:
    """By what its answer tells, or by `disclosure`: then no answer leaves without its record, and AUDIT_UNAVAILABLE follows."""
    silent = [method for method in contracts.methods() if not (method.writes or discloses(method))]
    safe = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    leaving = {method.name for method in silent if method.descriptor.GetOptions().idempotency_level != safe}
    assert leaving == _NOT_ALWAYS_ON_RECORD.keys()
    assert [method.name for method in silent if refusals.declared(method).get("AUDIT_UNAVAILABLE") == ""] == []


def test_every_rpc_declares_its_access() -> None:
    offenders = []
    for method in contracts.methods():
        access, owner = contracts.access_of(method), contracts.owner_of(method)
        named = _PERMISSION.fullmatch(access.permission) and access.permission.split(".")[0] == owner
        if not (access.public ^ bool(named)) or not method.audience & _PLACES:
            offenders.append(f"{method.name}: {access}")
    assert offenders == []


def test_each_place_stands_once_and_the_inside_alone() -> None:
    assert [
        method.name
        for method in contracts.methods()
        if len(method.audience) != len(method.access.audience)
        or (options_pb2.AUDIENCE_INTERNAL in method.audience and len(method.audience) > 1)
    ] == []


def test_region_facing_rpcs_are_for_regions() -> None:
    """Somebody of another region gets in where that is said, and nobody else where no other place is."""
    offenders = []
    for method in contracts.methods():
        actors = set(method.access.actors) or {options_pb2.ACTOR_KIND_UNSPECIFIED}
        theirs, others = actors & _OF_REGIONS, actors - _OF_REGIONS
        if method.for_regions and not method.access.public and (not theirs or (others and not method.for_fronts)):
            offenders.append(method.name)
    assert offenders == []


def test_assurance_levels_exist() -> None:
    assert [method.name for method in contracts.methods() if contracts.access_of(method).min_assurance > 4] == []


def test_http_mappings_follow_the_audience() -> None:
    mapped = contracts.http_mappings()
    assert [
        method.name for method in contracts.methods() if bool(mapped[method.name]) != bool(method.audience & _FRONTS)
    ] == []


def test_no_two_rpcs_share_a_path() -> None:
    """AuditService is one contract that five services serve; the gateway tells them apart by the path's first part."""
    places = Counter(
        (verb, re.sub(r"\{[^=}]*(?:=([^}]*))?\}", lambda found: found[1] or "*", path))
        for bindings in contracts.http_mappings().values()
        for verb, path, _ in bindings
    )
    assert [place for place, count in places.items() if count > 1] == []


def test_every_rpc_says_who_may_and_whether_it_may_be_repeated() -> None:
    offenders = []
    for method in contracts.methods():
        said = said_of(method)
        if "Who:" not in said or "dempotent" not in said:
            offenders.append(method.name)
    assert offenders == []


def test_reasons_stand_in_the_option_and_not_in_prose() -> None:
    """`option (tongban.options.v1.rpc).refuses = {reason: ... when: ...}`: documents and tests read that, nobody reads comments."""
    offenders = {
        method.name: said
        for method in contracts.methods()
        if re.search(r"[Rr]efuses? with", said := said_of(method)) and _REASONS & set(_WORD.findall(said))
    }
    assert offenders == {}


def test_every_reason_of_an_rpc_stands_once() -> None:
    offenders = []
    for method in contracts.methods():
        refuses = [each.reason for each in method.descriptor.GetOptions().Extensions[options_pb2.rpc].refuses]
        if 0 in refuses or len(set(refuses)) != len(refuses):
            offenders.append(method.name)
    assert offenders == []


def test_what_follows_from_other_declarations_is_said_again_only_with_a_condition() -> None:
    """So that a list names what is the RPC's own, and nothing is said in two places that could differ."""
    offenders = []
    for method in contracts.methods():
        implied = refusals.implied(method)
        offenders += [
            f"{method.name}: {reason}"
            for reason, when in refusals.declared(method).items()
            if reason in implied and not when
        ]
    assert offenders == []


def test_conditions_are_phrases() -> None:
    """They come after `Refuses with NOT_OWNER`, in brackets, and in a table's cell."""
    assert [
        f"{method.name}: {reason}: {when}"
        for method in contracts.methods()
        for reason, when in refusals.declared(method).items()
        if when and (when[0] in "( " or when[-1] in ". ,;" or "|" in when or when.startswith("where "))
    ] == []


def request_id_of(method: Method) -> FieldDescriptor | None:
    return method.descriptor.input_type.fields_by_name.get("request_id")


_USE = "a use, which is recorded each time that it happens"
# Calls by POST, or with events, that change nothing although they do not call themselves reads, and why.
_CHANGES_NOTHING = {
    "tongban.identity.v1.AccountService.RevealPerson": _USE,
    "tongban.identity.v1.CodeService.IssueCode": "every call makes a code, and is counted",
    "tongban.identity.v1.TokenService.ExchangeToken": "every call makes a token, and is recorded: people sign in while nothing can be changed",
    "tongban.identity.v1.TokenService.IssueServiceToken": "every call makes a token",
    "tongban.license.v1.LicenseService.GetLicense": _USE,
    "tongban.license.v1.LicenseService.BatchGetLicenses": _USE,
    "tongban.license.v1.LicenseService.LookupByIdentifier": _USE,
    "tongban.license.v1.LicenseService.DownloadLicense": _USE,
    "tongban.license.v1.MaterialService.DownloadMaterial": _USE,
    "tongban.sharing.v1.DataService.Query": _USE,
    "tongban.sharing.v1.DataService.Compare": _USE,
}


def test_changes_say_by_what_a_repeat_is_known() -> None:
    """A change is an RPC with another verb than GET that does not call itself a read; and no read says so."""
    mapped = contracts.http_mappings()
    found = set()
    for method in contracts.methods():
        reads = {"GET"} >= {verb for verb, _, _ in mapped[method.name]} and mapped[method.name]
        said = said_of(method)
        emits = method.descriptor.GetOptions().Extensions[options_pb2.rpc].emits
        changes = bool(emits) or not (reads or "(a read" in said)
        if changes != method.writes:
            found.add(method.name)
    assert found == _CHANGES_NOTHING.keys()


def _at(message: Descriptor, path: str) -> FieldDescriptor | None:
    *outer, last = path.split(".")
    for name in outer:
        field = message.fields_by_name.get(name)
        if field is None or field.message_type is None:
            return None
        message = field.message_type
    return message.fields_by_name.get(last)


def test_what_tells_a_repeat_stands_in_the_request() -> None:
    """And only where it is no request_id of the request's own."""
    offenders = []
    for method in contracts.methods():
        declared = method.descriptor.GetOptions().Extensions[options_pb2.rpc].once_by
        missing = [path for path in method.once_by if _at(method.descriptor.input_type, path) is None]
        if missing or (declared and request_id_of(method) is not None):
            offenders.append(f"{method.name}: {missing or list(declared)}")
    assert offenders == []


def test_what_regions_hand_over_travels_in_an_envelope_that_every_release_takes() -> None:
    """A message of another region is refused for nothing but its envelope, which has no value or shape that could be unknown.

    What it says is bytes under a name: today's contract says what it understands of it (`tests.support.tomorrow`: the rest).
    """
    envelope = contracts.envelope()
    assert [
        field.name for field in envelope.fields if field.enum_type is not None or field.message_type is not None
    ] == []
    assert (list(envelope.oneofs), list(envelope.GetOptions().Extensions[validate_pb2.message].cel)) == ([], [])
    handed_over = {
        method.name
        for method in contracts.methods()
        if any(field.message_type == envelope for field in method.descriptor.input_type.fields)
    }
    exchange = "tongban.cases.v1.ExchangeService."
    assert handed_over == {
        f"{exchange}{name}" for name in ("ReceiveCaseTransfer", "AcknowledgeCaseTransfer", "PushProgress")
    }
    for method in contracts.methods():
        if method.name in handed_over:
            assert (keeps_unknown(method, ANONYMOUS), len(method.descriptor.input_type.fields)) == (True, 1)


# Where a value that is unknown is told to who asks, at once: nothing was handed over that could get lost.
_QUESTIONS_OF_REGIONS = {
    "tongban.license.v1.LicenseService.GetLicense",
    "tongban.license.v1.VerificationService.VerifyLicense",
    "tongban.license.v1.PresentationService.RedeemPresentation",
    "tongban.license.v1.LicenseService.DownloadLicense",
    "tongban.license.v1.MaterialService.DownloadMaterial",
    "tongban.sharing.v1.DataService.Query",
    "tongban.sharing.v1.DataService.Compare",
    "tongban.identity.v1.TokenService.ReadWithdrawnAssertions",
}


def test_what_regions_ask_and_what_they_hand_over_are_told_apart() -> None:
    """Whatever else one region calls at another is a question: it answers with more than a receipt, or refuses, at once."""
    regional = {method.name for method in contracts.methods() if method.for_regions}
    questions = {
        method.name
        for method in contracts.methods()
        if method.for_regions and method.descriptor.output_type.name != "TransferReceipt"
    }
    assert questions == _QUESTIONS_OF_REGIONS
    assert {name.rpartition(".")[0] for name in regional - questions} == {"tongban.cases.v1.ExchangeService"}


def _emitted() -> list[tuple[str, str]]:
    return [
        (contracts.owner_of(method), event)
        for method in contracts.methods()
        for event in method.descriptor.GetOptions().Extensions[options_pb2.rpc].emits
    ]


@pytest.mark.parametrize(("owner", "event"), sorted(set(_emitted())))
def test_every_event_has_its_message(owner: str, event: str) -> None:
    found = re.fullmatch(r"cn\.tongban\.[a-z]+\.([a-z_]+)\.([a-z_]+)\.v1", event)
    assert found, event
    name = "".join(word.capitalize() for word in "_".join(found.groups()).split("_"))
    message = contracts.find_message(f"tongban.{owner}.v1.{name}")
    assert message.file.name == f"tongban/{owner}/v1/events.proto"


def _section(number: int) -> str:
    return next((name for name, (low, high) in _RANGES.items() if low <= number <= high), "")


def test_error_reasons_are_documented() -> None:
    offenders = []
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values[1:]:
        info = value.GetOptions().Extensions[error_reason_pb2.error]
        spoken = bool(info.message_zh) and info.message_en.isascii() and info.message_en[:1].isupper()
        if info.code not in Code.__members__ or not spoken or not _section(value.number):
            offenders.append(f"{value.name}: {info}")
        if len(set(info.metadata)) != len(info.metadata):
            offenders.append(f"{value.name}: a key twice")
    assert offenders == []


def test_error_reasons_stand_in_their_sections() -> None:
    """Numbers grow down the file, so that a section's reasons lie in its range and none is taken twice."""
    numbers = [value.number for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values]
    assert numbers == sorted(set(numbers))


def test_personal_data_is_marked() -> None:
    personal = [
        field
        for file in contracts.files()
        for message in file.message_types_by_name.values()
        for field in message.fields
        if field.type == FieldDescriptor.TYPE_STRING and _is_personal(field)
    ]
    unmarked = [field.full_name for field in personal if not field.GetOptions().Extensions[options_pb2.field].personal]
    assert unmarked == []


def _is_personal(field: FieldDescriptor) -> bool:
    document_number = field.full_name == "tongban.common.v1.IdentityDocument.number"
    return field.name in _PERSONAL_NAMES or document_number or field.name.endswith(("_full_name", "_phone"))


def test_secrets_are_marked() -> None:
    unmarked = [
        field.full_name
        for file in contracts.files()
        for message in file.message_types_by_name.values()
        for field in message.fields
        if re.fullmatch(r"(?:.*_)?(?:secret|password|private_key|access_token|assertion)", field.name)
        and field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        and not field.GetOptions().Extensions[options_pb2.field].secret
    ]
    assert unmarked == []
