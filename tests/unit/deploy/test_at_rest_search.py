"""The search for planted data is tried itself."""

from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from libs.rpc.contract import Method
from tests.support import at_rest, contracts
from tests.support.at_rest import Needles, files_with, packed, spellings
from tests.support.planting import CONTENT, PLANTED, json_doors, planted_requests
from tongban.options.v1 import options_pb2


def test_the_search_finds_each_spelling_across_the_border_of_two_pieces_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_rest, "_PIECE", 64)
    texts = ("植标楠", "10076543219")
    for text in texts:
        for name, form in spellings(text).items():
            (tmp_path / f"{text} {name}").write_bytes(b"\0" * 61 + form)
    found = files_with(Needles(texts), tmp_path)
    assert set(found) == {f"{text} {name}" for text in texts for name in spellings(text)}
    assert all((path.split(" ", 1)[0], path.split(" ", 1)[1]) in planted for path, planted in found.items())


def test_archives_and_documents_in_the_clear_are_named(tmp_path: Path) -> None:
    for name, content in (("a", b"PK\x03\x04..."), ("b", b"%PDF-1.7"), ("c", b"neither")):
        (tmp_path / name).write_bytes(content)
    assert sorted(packed(tmp_path)) == ["a", "b"]


def _personal(descriptor: Descriptor, above: tuple[str, ...] = ()) -> set[str]:
    """The texts and bytes that a caller can set and that the contract marks as personal, maps aside."""
    found: set[str] = set()
    for field in descriptor.fields:
        if contracts.output_only(field) or contracts.is_map(field) or descriptor.full_name in above:
            continue
        if contracts.is_ours(field.message_type):
            found |= _personal(contracts.message_of(field), (*above, str(descriptor.full_name)))
        elif _text(field) and field.GetOptions().Extensions[options_pb2.field].personal:
            found.add(str(field.full_name))
    return found


def _text(field: FieldDescriptor) -> bool:
    return field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


def _holding(message: Message) -> set[str]:
    """The fields in which something planted stands."""
    found: set[str] = set()
    for field, value in message.ListFields():
        for each in value if field.is_repeated and not contracts.is_map(field) else [value]:
            if isinstance(each, Message):
                found |= _holding(each)
            elif each in (*PLANTED, CONTENT):
                found.add(str(field.full_name))
    return found


@pytest.mark.parametrize("method", contracts.methods(), ids=lambda method: method.name)
def test_every_personal_field_of_every_request_is_planted(method: Method) -> None:
    planted = set[str]().union(*map(_holding, planted_requests(method)))
    assert _personal(method.descriptor.input_type) - planted == set()


def test_every_path_of_every_rpc_is_asked_with_planted_data() -> None:
    asked = len(list(json_doors()))
    assert asked > 3 * sum(len(mappings) for mappings in contracts.http_mappings().values())
