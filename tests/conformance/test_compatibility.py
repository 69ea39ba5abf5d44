"""What a release promised is kept: `./run check` says so of made-up changes that break it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from buf.validate import validate_pb2
from libs.rpc.images import image_path
from proto import compatibility
from tongban.errors.v1 import error_reason_pb2
from tongban.options.v1 import options_pb2

_CASES = "tongban/cases/v1/case_service.proto"
_RESOURCES = "tongban/cases/v1/resources.proto"
_EVENTS = "tongban/cases/v1/events.proto"
_IDENTITY = "tongban/identity/v1/resources.proto"
_REASONS = "tongban/errors/v1/error_reason.proto"
Change = Callable[[FileDescriptorSet], None]


def _file(files: FileDescriptorSet, name: str) -> FileDescriptorProto:
    return next(file for file in files.file if file.name == name)


def _message(files: FileDescriptorSet, file: str, name: str) -> DescriptorProto:
    return next(message for message in _file(files, file).message_type if message.name == name)


def _field_goes(files: FileDescriptorSet) -> None:
    del _message(files, _RESOURCES, "Case").field[-1]


def _field_has_another_name(files: FileDescriptorSet) -> None:
    field = _message(files, _RESOURCES, "Case").field[1]
    field.name = field.json_name = "figure"


def _value_goes(files: FileDescriptorSet) -> None:
    del _file(files, _RESOURCES).enum_type[0].value[-1]


def _rpc_goes(files: FileDescriptorSet) -> None:
    del _file(files, _CASES).service[0].method[-1]


def _path_moves(files: FileDescriptorSet) -> None:
    _file(files, _CASES).service[0].method[0].options.Extensions[annotations_pb2.http].post = "/v1/elsewhere"


def _event_has_another_type(files: FileDescriptorSet) -> None:
    said = _message(files, _EVENTS, "CaseCreated").options.Extensions[options_pb2.message].event
    said.type = "cn.tongban.cases.case.begun.v1"


def _event_is_told_to_nobody_else(files: FileDescriptorSet) -> None:
    said = _message(files, _EVENTS, "CaseCreated").options.Extensions[options_pb2.message].event
    said.audience = options_pb2.EVENT_AUDIENCE_INTERNAL


def _reason_means_something_else(files: FileDescriptorSet) -> None:
    _file(files, _REASONS).enum_type[0].value[1].options.Extensions[error_reason_pb2.error].code = "DATA_LOSS"


def _field_becomes_required(files: FileDescriptorSet) -> None:
    field = next(each for each in _message(files, _CASES, "CreateCaseRequest").field if each.name == "case_id")
    field.options.Extensions[field_behavior_pb2.field_behavior][:] = [field_behavior_pb2.REQUIRED]


def _rules(field: FieldDescriptorProto) -> validate_pb2.FieldRules:
    return field.options.Extensions[validate_pb2.field]


def _field(files: FileDescriptorSet, message: str, name: str) -> FieldDescriptorProto:
    return next(each for each in _message(files, _IDENTITY, message).field if each.name == name)


def _list_takes_less(files: FileDescriptorSet) -> None:
    _rules(_field(files, "MandateScope", "item_codes")).repeated.max_items = 100


def _text_must_be_longer(files: FileDescriptorSet) -> None:
    _rules(_field(files, "Client", "display_name")).string.min_len = 2


def _number_is_bounded(files: FileDescriptorSet) -> None:
    _rules(_field(files, "ClientQuota", "per_day")).int64.lte = 1_000_000


def _word_is_taken_no_more(files: FileDescriptorSet) -> None:
    getattr(_rules(_field(files, "JsonWebKey", "kty")).string, "in").remove("RSA")


def _value_is_taken_no_more(files: FileDescriptorSet) -> None:
    _rules(_field(files, "Client", "auth_method")).enum.not_in.append(2)


BREAKS: dict[Change, str] = {
    _field_goes: "was deleted",
    _field_has_another_name: '"figure"',
    _value_goes: "on enum",
    _rpc_goes: "RPC",
    _path_moves: "path POST /v1/cases *",
    _event_has_another_type: "CaseCreated: event",
    _event_is_told_to_nobody_else: "CaseCreated: audience",
    _reason_means_something_else: "code",
    _field_becomes_required: "CreateCaseRequest.case_id: has become REQUIRED",
    _list_takes_less: "MandateScope.item_codes: repeated.max_items takes less",
    _text_must_be_longer: "Client.display_name: string.min_len takes less",
    _number_is_bounded: "ClientQuota.per_day: int64.lte takes less",
    _word_is_taken_no_more: "JsonWebKey.kty: string.in takes less",
    _value_is_taken_no_more: "Client.auth_method: enum.not_in takes less",
}


def _compared(folder: Path, *changes: Change) -> list[str]:
    """What is said of today's contracts with these changes, one comparison for all: each starts buf."""
    tomorrow = compatibility.read(image_path())
    for change in changes:
        change(tomorrow)
    image = folder / "tomorrow" / "image.binpb"
    image.parent.mkdir()
    image.write_bytes(tomorrow.SerializeToString())
    return compatibility.compare(compatibility.cut("0.2.0", folder), image)


def test_what_breaks_a_promise_is_named(tmp_path: Path) -> None:
    lines = _compared(tmp_path, *BREAKS)
    assert [said for said in BREAKS.values() if not any(said in line for line in lines)] == [], lines


def _field_comes(files: FileDescriptorSet) -> None:
    message = _message(files, _RESOURCES, "Case")
    message.field.add(name="remark", json_name="remark", number=900, type=9, label=1)


def _value_comes(files: FileDescriptorSet) -> None:
    enum = next(each for each in _file(files, _RESOURCES).enum_type if each.name == "CaseState")
    enum.value.add(name="CASE_STATE_ARCHIVED", number=90)


def _list_takes_more(files: FileDescriptorSet) -> None:
    _rules(_field(files, "Person", "documents")).repeated.max_items = 20


def _name_may_be_of_another_region(files: FileDescriptorSet) -> None:
    for message, name in (("Organization", "legal_representative"), ("Mandate", "principal"), ("Consent", "subject")):
        rules = _rules(_field(files, message, name)).string
        rules.pattern = rules.pattern.replace("^", "^(//[a-z0-9-]+/)?", 1)


def _field_is_required_no_more(files: FileDescriptorSet) -> None:
    duties = _field(files, "Post", "duties")
    duties.options.Extensions[field_behavior_pb2.field_behavior][:] = [field_behavior_pb2.OPTIONAL]
    _rules(duties).repeated.ClearField("min_items")


def _more_is_taken(files: FileDescriptorSet) -> None:
    getattr(_rules(_field(files, "JsonWebKey", "kty")).string, "in").append("OKP")
    _rules(_field(files, "Client", "display_name")).string.max_len = 200
    _rules(_field(files, "ClientQuota", "per_second")).int32.ClearField("lte")
    del _rules(_field(files, "Client", "auth_method")).enum.not_in[:]


def _choice_has_another_member(files: FileDescriptorSet) -> None:
    point = _message(files, _IDENTITY, "ContactPoint")
    address = FieldDescriptorProto(name="postal_address", json_name="postalAddress", number=9, oneof_index=0)
    address.type, address.label = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.LABEL_OPTIONAL
    point.field.insert(1, address)


_WIDENED: tuple[Change, ...] = (
    _list_takes_more,
    _name_may_be_of_another_region,
    _field_is_required_no_more,
    _more_is_taken,
    _choice_has_another_member,
)


def test_what_is_widened_breaks_nothing(tmp_path: Path) -> None:
    """The room that the contracts leave is room: more documents, a foreign representative, a post of roles, an address."""
    assert _compared(tmp_path, *_WIDENED) == []


def test_what_is_added_breaks_nothing(tmp_path: Path) -> None:
    assert _compared(tmp_path, _field_comes, _value_comes) == []


def test_the_newest_release_is_compared_with(tmp_path: Path) -> None:
    for version in ("0.10.0", "0.2.0", "0.9.1"):
        compatibility.cut(version, tmp_path)
    assert [path.stem for path in compatibility.releases(tmp_path)] == ["0.2.0", "0.9.1", "0.10.0"]


def test_a_release_is_cut_once(tmp_path: Path) -> None:
    compatibility.cut("0.2.0", tmp_path)
    for version in ("0.2.0", "next"):
        with pytest.raises(SystemExit):
            compatibility.cut(version, tmp_path)


def test_todays_contracts_keep_what_the_last_release_promised(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compatibility.main([])
    monkeypatch.setattr(compatibility, "RELEASES", tmp_path)
    said = capsys.readouterr().out
    assert said == "" or said.startswith("no release has been cut yet")


def test_what_cannot_be_compared_is_no_success(tmp_path: Path) -> None:
    unreadable = tmp_path / "0.2.0.binpb"
    unreadable.write_bytes(b"\xff\xff")
    with pytest.raises(SystemExit):
        compatibility.compare(unreadable)
