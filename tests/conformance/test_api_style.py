"""The rules of docs/api-style.md that a program can hold: each by its name there."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from google.api import field_behavior_pb2
from google.longrunning import operations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from libs.rpc.contract import Method
from tests.conformance.style_not_yet import NOT_YET
from tests.support import contracts, events_told, presence

_GUIDE = Path("docs/api-style.md")
_HELD = re.compile(r"^- \*\*(\w+)\*\* ● (.*?)(?=^- |^## |\Z)", re.DOTALL | re.MULTILINE)
_READING = (
    "Get",
    "List",
    "Lookup",
    "Count",
    "Prove",
    "Check",
    "Compare",
    "Query",
    "Verify",
    "Validate",
    "Resolve",
    "Read",
    "Reveal",
    "Download",
    "BatchGet",
)
_NAMES_OF_PEOPLE = re.compile(
    r"(?:.*_)?(?:display_name|full_name|file_name|holder_name|recipient_name|contact_name)|organization_names"
)
_PHONE = r"^(1[0-9]{10}|\+[1-9][0-9]{6,14})?$"
_DIGEST = re.compile(r"\^\(?sm3:\[0-9a-f\]\{64\}\)?\??\$")
_STATED = "StatedIdentity"
"""What services ask identity of anybody, a department too: no party of anything."""
_REQUEST_ID = (
    "A UUID of the caller's, new for each request. A repeat with it gets the first answer, for a year at least."
)
_PAGE_SIZE = "1 to 1000; 0 means 50; more is cut to 1000."
_PAGE_TOKEN = "The token of the page before, with everything else as it was; good for a day at least."
_JUDGES = ("Accept", "Decline", "Decide", "Redecide", "Approve", "Review", "PreReview", "Refuse", "Publish")
_REPLACES = ("Update", "Set", "Rotate")
_REQUIRED = field_behavior_pb2.REQUIRED
Found = Iterator[str]


def _messages() -> Iterator[Descriptor]:
    for file in contracts.files():
        if file.package.startswith("tongban.") and file.package != "tongban.options.v1":
            for message in file.message_types_by_name.values():
                yield message
                yield from (inner for inner in message.nested_types if not inner.GetOptions().map_entry)


def _fields() -> Iterator[FieldDescriptor]:
    return (field for message in _messages() for field in message.fields)


def _methods(*verbs: str) -> Iterator[Method]:
    """The RPCs that one of the verbs begins; all where none is said."""
    return (method for method in contracts.methods() if not verbs or _begins(str(method.descriptor.name), verbs))


def _begins(name: str, verbs: Iterable[str]) -> bool:
    return any(re.match(rf"{verb}(?=[A-Z]|$)", name) for verb in verbs)


def _owner(field: FieldDescriptor) -> Descriptor:
    assert field.containing_type is not None
    return field.containing_type


def _of(field: FieldDescriptor) -> str:
    return str(field.message_type.full_name) if field.message_type is not None else ""


def _resources() -> Iterator[Descriptor]:
    """What has a name of its own: what RPCs answer with, and what lists hold."""
    shown = {str(message.full_name) for method in contracts.methods() for message in _shown(method)}
    for message in _messages():
        if message.full_name in shown and "name" in message.fields_by_name:
            yield message


def _shown(method: Method) -> Iterator[Descriptor]:
    answer = method.descriptor.output_type
    yield answer
    yield from (field.message_type for field in answer.fields if field.message_type is not None)


def _fields_of_resources() -> Iterator[FieldDescriptor]:
    return (field for resource in _resources() for field in resource.fields)


def _paths(method: Method) -> list[tuple[str, str, str]]:
    return contracts.http_mappings()[method.name]


def times_and_dates() -> Found:
    endings = {
        "google.protobuf.Timestamp": r"(?:.*_)?times?$",
        "tongban.common.v1.Date": r"(?:.*_)?dates?$",
    }
    for field in _fields():
        if _owner(field).name in ("Date", "Value"):
            continue
        for kind, ending in endings.items():
            if bool(re.fullmatch(ending, field.name)) != (_of(field) == kind):
                yield str(field.full_name)


def references() -> Found:
    for field in _fields():
        named = re.fullmatch(r".+_names?", field.name) and not _NAMES_OF_PEOPLE.fullmatch(field.name)
        if named and field.type == FieldDescriptor.TYPE_STRING:
            yield str(field.full_name)


def bools() -> Found:
    for field in _fields():
        if field.type == FieldDescriptor.TYPE_BOOL and re.match(r"(?:is|has)_", field.name):
            yield str(field.full_name)


def verbs() -> Found:
    for method in _methods():
        gets = {verb for verb, _, _ in _paths(method)} == {"GET"}
        if gets and not _begins(str(method.descriptor.name), _READING):
            yield method.name


def names_first() -> Found:
    for resource in _resources():
        first = resource.fields[0]
        if first.name != "name" or field_behavior_pb2.IDENTIFIER not in contracts.behaviors(first):
            yield str(resource.full_name)


def behaviors() -> Found:
    for field in _fields_of_resources():
        if not contracts.behaviors(field):
            yield str(field.full_name)


def states() -> Found:
    for resource in _resources():
        for field in resource.fields:
            if field.name == "state" and (
                contracts.enum_of(field).name != f"{resource.name}State" or not contracts.output_only(field)
            ):
                yield str(field.full_name)
            if re.match(r"replaced_by|replacement", field.name):
                yield str(field.full_name)
    for file in contracts.files():
        for enum in file.enum_types_by_name.values():
            yield from (
                f"{file.package}.{value.name}"
                for value in enum.values
                if str(enum.name).endswith("State") and value.name.endswith("_REPLACED")
            )


def etags() -> Found:
    for resource in _resources():
        if "etag" in resource.fields_by_name and "create_time" not in resource.fields_by_name:
            yield str(resource.full_name)


def gets() -> Found:
    for method in _methods("Get"):
        request, noun = method.descriptor.input_type, method.descriptor.name.removeprefix("Get")
        answers = method.descriptor.output_type.name in (noun, "HttpBody") or not request.fields
        if [str(field.name) for field in request.fields][:1] not in (["name"], []) or not answers:
            yield method.name


def lists() -> Found:
    for method in _methods("List"):
        answer = method.descriptor.output_type
        if not any(field.is_repeated for field in answer.fields) or answer.name != f"{method.descriptor.name}Response":
            yield method.name


def creates() -> Found:
    for method in _methods("Create"):
        noun = method.descriptor.name.removeprefix("Create")
        field = re.sub(r"(?<!^)(?=[A-Z])", "_", noun).lower()
        taken = method.descriptor.input_type.fields_by_name.get(field)
        path = next((path for _, path, _ in _paths(method)), "")
        if taken is None or taken.message_type is None or taken.message_type.name != noun or ":" in path.split("}")[-1]:
            yield method.name


def updates() -> Found:
    for method in _methods("Update"):
        fields = method.descriptor.input_type.fields_by_name
        if "update_mask" not in fields or {verb for verb, _, _ in _paths(method)} != {"PATCH"}:
            yield method.name
    for method in _methods("Delete"):
        if {verb for verb, _, _ in _paths(method)} != {"DELETE"}:
            yield method.name


def answers() -> Found:
    for method in _methods():
        kept = [field.name for field in method.descriptor.output_type.fields]
        if len(kept) == 1 and _wrapped(method.descriptor):
            yield method.name


def _says(field: FieldDescriptor, sentence: str) -> bool:
    return sentence in " ".join(contracts.comment_of(str(field.full_name)).split())


def _wrapped(method: MethodDescriptor) -> bool:
    answer = method.output_type
    first = answer.fields[0]
    held = first.message_type is not None and "name" in first.message_type.fields_by_name and not first.is_repeated
    return bool(answer.name == f"{method.name}Response" and held)


def custom_verbs() -> Found:
    for method in _methods():
        for verb, path, _ in _paths(method):
            last = path.rsplit("/", 1)[-1]
            if ":" not in last.split("}")[-1]:
                continue
            if last.endswith(":read") and _takes_context(method):
                continue  # X2
            words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", last.rsplit(":", 1)[1])]
            named = iter(word.lower() for word in re.findall(r"[A-Z][a-z]*", method.descriptor.name))
            # Each word is looked for behind the one before.
            if not all(word in named for word in words) or (
                verb == "GET" and not _begins(str(method.descriptor.name), _READING)
            ):
                yield method.name


def given_etags() -> Found:
    for method in _methods():
        fields, name = method.descriptor.input_type.fields_by_name, str(method.descriptor.name)
        kept = "etag" in method.descriptor.output_type.fields_by_name
        if not ("request_id" in fields and "name" in fields and kept):
            continue
        etag = fields.get("etag")
        rests = _begins(name, (*_JUDGES, *_REPLACES))
        if etag is None or (rests and _REQUIRED not in contracts.behaviors(etag)):
            yield method.name


def request_ids() -> Found:
    for method in _methods():
        field = method.descriptor.input_type.fields_by_name.get("request_id")
        if field is not None and not _says(field, _REQUEST_ID):
            yield method.name


def contexts() -> Found:
    """What is a context and isn't called so, or the other way round; and a purpose in words without its code."""
    for field in _fields():
        is_context = _of(field) == "tongban.common.v1.UseContext"
        beside = field.containing_type.fields_by_name if field.containing_type is not None else {}
        words_alone = field.name == "purpose" and "purpose_code" not in beside
        if is_context != (field.name == "use_context") or words_alone:
            yield str(field.full_name)


def _takes_context(method: Method) -> bool:
    return any(_of(field) == "tongban.common.v1.UseContext" for field in method.descriptor.input_type.fields)


def contexts_in_urls() -> Found:
    """No GET, nor a body beside the path that leaves the context to the query; Get and List are read."""
    for method in _methods():
        paths = _paths(method)
        hidden = all(verb == "POST" and body == "*" for verb, _, body in paths)
        read = not _begins(str(method.descriptor.name), ("Get", "List")) or paths[0][1].endswith(":read")
        public = method.for_fronts
        if paths and _takes_context(method) and not (hidden and (read or not public)):
            yield method.name


def periods() -> Found:
    old = re.compile(r"begin_(?:time|date)|start|end|valid_(?:from|until)(?:_time|_date)?|first_day|last_day")
    for field in _fields():
        if old.fullmatch(field.name) and _of(field) != "":
            yield str(field.full_name)
        if field.name == "expire_time" and "start_time" in _owner(field).fields_by_name:
            yield str(field.full_name)


def digests() -> Found:
    for field in _fields():
        if not re.fullmatch(r"(?:.*_)?digest", field.name):
            continue
        pattern = contracts.rules_of(field).string.pattern
        if field.type != FieldDescriptor.TYPE_STRING or (pattern and not _DIGEST.fullmatch(pattern)):
            yield str(field.full_name)
    for field in _fields():
        logs = _owner(field).file.package == "tongban.audit.v1" or _owner(field).name == "Receipt"
        if re.fullmatch(r"(?:.*_)?hash", field.name) and not (logs and field.type == FieldDescriptor.TYPE_BYTES):
            yield str(field.full_name)


def _family() -> list[Descriptor]:
    return [each for each in _messages() if each.file.name == "tongban/common/v1/party.proto"]


def parties() -> Found:
    """One shape for who takes part, by name, number and type; nobody makes another; one pattern for phones."""
    first: dict[str, FieldDescriptor] = {}
    for field in (field for message in _family() for field in message.fields):
        known = first.setdefault(str(field.name), field)
        if (field.number, field.type, _of(field)) != (known.number, known.type, _of(known)):
            yield str(field.full_name)
    for message in _messages():
        told = {str(field.name) for field in message.fields}
        if message not in _family() and told >= {"display_name", "document"} and message.name != _STATED:
            yield str(message.full_name)
    for field in _fields():
        pattern = contracts.rules_of(field).string.pattern
        if re.fullmatch(r"(?:.*_)?phone", field.name) and pattern not in (_PHONE, _PHONE.replace(")?$", ")$")):
            yield str(field.full_name)


def values() -> Found:
    """No map of bare scalars, and no message of a key and one: what a type declares is a Value."""
    for field in _fields():
        if contracts.is_map(field) and contracts.message_of(field).fields_by_name["value"].message_type is None:
            yield str(field.full_name)
    for message in _messages():
        kept = [message.fields_by_name.get(name) for name in ("key", "value")]
        if all(each is not None and each.message_type is None for each in kept):
            yield str(message.full_name)


def regions() -> Found:
    for field in _fields():
        if field.name.endswith("region_code") and _owner(field).name not in ("Address", "Department"):
            yield str(field.full_name)


def page_fields() -> Found:
    for method in _methods():
        fields = method.descriptor.input_type.fields_by_name
        if "page_size" not in fields or "cursor" in fields:  # V4
            continue
        size, token = contracts.rules_of(fields["page_size"]).int32, contracts.rules_of(fields["page_token"]).string
        said = _says(fields["page_size"], _PAGE_SIZE) and _says(fields["page_token"], _PAGE_TOKEN)
        bounds = (size.HasField("gte"), size.gte, size.HasField("lte"), token.max_len)
        if bounds != (True, 0, False, 1000) or not said:
            yield method.name


def filters() -> Found:
    for method in _methods():
        if not method.descriptor.name.startswith("List"):
            continue
        asked = method.descriptor.input_type
        fields = [asked.fields_by_name.get(each) for each in ("filter", "order_by")]
        comment = " ".join(contracts.comment_of(str(asked.full_name)).split())
        excused = re.search(r"\bNot filtered: \w.+\.", comment) is not None
        if excused == all(fields) or (any(fields) and not all(fields)):
            yield method.name


def public_events() -> Found:
    for event in events_told.public():
        yield from events_told.says_too_much(event.message)


def cursors() -> Found:
    for method in _methods():
        fields, answer = method.descriptor.input_type.fields_by_name, method.descriptor.output_type.fields_by_name
        if "cursor" in fields and ("page_token" in fields or not {"next_cursor", "at_end"} <= set(answer)):
            yield method.name


def operations() -> Found:
    for method in _methods():
        if _of_operations(method):
            told = method.descriptor.GetOptions().Extensions[operations_pb2.operation_info]
            said = contracts.comment_of(method.name)
            metadata = told.metadata_type == "tongban.operations.v1.OperationMetadata"
            if not (told.response_type and metadata and method.writes and "phases" in said and "item" in said):
                yield method.name


def _of_operations(method: Method) -> bool:
    answer = str(method.descriptor.output_type.full_name)
    return answer == "google.longrunning.Operation" and contracts.owner_of(method) != "operations"


def exchanges() -> Found:
    for method in _methods():
        if method.exchanges:
            result = method.descriptor.output_type.oneofs_by_name.get("result")
            kinds = [each.message_type for each in result.fields] if result else []
            error = {str(each.full_name) for each in kinds if each is not None}
            said = contracts.comment_of(method.name)
            if "google.rpc.Status" not in error or "STREAM_ENDING" not in said or not method.repeatable:
                yield method.name


def streamed() -> Found:
    for method in _methods():
        if (
            method.descriptor.server_streaming
            and "streamError" in method.descriptor.output_type.fields_by_camelcase_name
        ):
            yield method.name


def files_uploaded_before() -> Found:
    """Nobody hands in a digest for a file that lies somewhere; a material says its own before its bytes follow."""
    for field in _fields():
        given = {_REQUIRED, field_behavior_pb2.OPTIONAL} & {*contracts.behaviors(field)}
        if given and _of(field) == "tongban.common.v1.DocumentRef" and _owner(field).name != "MaterialMetadata":
            yield str(field.full_name)


def deprecated() -> Found:
    for field in _fields():
        if field.GetOptions().deprecated != contracts.comment_of(str(field.full_name)).startswith("Deprecated: "):
            yield str(field.full_name)


RULES: dict[str, Callable[[], Found]] = {
    "N2": times_and_dates,
    "N3": references,
    "N4": bools,
    "N5": verbs,
    "R2": names_first,
    "R3": behaviors,
    "R4": states,
    "R5": etags,
    "R6": presence.required_or_zero,
    "S1": gets,
    "S2": lists,
    "S3": creates,
    "S4": updates,
    "S5": answers,
    "C1": custom_verbs,
    "C2": given_etags,
    "C3": request_ids,
    "X1": contexts,
    "X2": contexts_in_urls,
    "P1": periods,
    "D1": digests,
    "Y1": parties,
    "W1": values,
    "G1": regions,
    "V3": public_events,
    "V4": cursors,
    "L1": page_fields,
    "L3": filters,
    "O1": operations,
    "O2": exchanges,
    "O3": streamed,
    "U1": files_uploaded_before,
    "Z2": deprecated,
}


def _texts() -> dict[str, str]:
    return {rule: " ".join(text.split()) for rule, text in _HELD.findall(_GUIDE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("rule", RULES)
def test_the_contracts_keep_the_rule(rule: str) -> None:
    """What is new breaks no rule; what is listed as not kept yet and is kept now leaves the list."""
    found = {each.removeprefix("tongban.") for each in RULES[rule]()}
    known = {which: {each for each in found if re.fullmatch(which, each)} for which in NOT_YET.get(rule, {})}
    said = f"docs/api-style.md {rule}: {_texts()[rule]}"
    assert sorted(found.difference(*known.values())) == [], said
    done = [which for which, matched in known.items() if not matched]
    assert done == [], f"kept now, take it off tests/conformance/style_not_yet.py. {said}"


def test_the_guide_marks_what_is_held() -> None:
    assert list(_texts()) == list(RULES)


def test_what_is_not_kept_yet_says_what_brings_it() -> None:
    assert NOT_YET.keys() <= RULES.keys()
    assert [why for known in NOT_YET.values() for why in known.values() if not re.match(r"A\d+", why)] == []
