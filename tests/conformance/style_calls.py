"""The rules of docs/api-style.md on calls and what they carry (C to Z): each yields what breaks it."""

import re

from google.api import field_behavior_pb2
from google.longrunning import operations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from libs.rpc.contract import Method
from tests.conformance.style_ground import (
    READING,
    Found,
    all_fields,
    all_messages,
    begins,
    kind_of,
    methods,
    owner,
    paths_of,
    says,
)
from tests.support import contracts, events_told

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


def custom_verbs() -> Found:
    for method in methods():
        for verb, path, _ in paths_of(method):
            last = path.rsplit("/", 1)[-1]
            if ":" not in last.split("}")[-1]:
                continue
            if last.endswith(":read") and _takes_context(method):
                continue  # X2
            words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", last.rsplit(":", 1)[1])]
            named = iter(word.lower() for word in re.findall(r"[A-Z][a-z]*", method.descriptor.name))
            # Each word is looked for behind the one before.
            if not all(word in named for word in words) or (
                verb == "GET" and not begins(str(method.descriptor.name), READING)
            ):
                yield method.name


def given_etags() -> Found:
    for method in methods():
        fields, name = method.descriptor.input_type.fields_by_name, str(method.descriptor.name)
        kept = "etag" in method.descriptor.output_type.fields_by_name
        if not ("request_id" in fields and "name" in fields and kept):
            continue
        etag = fields.get("etag")
        rests = begins(name, (*_JUDGES, *_REPLACES))
        if etag is None or (rests and _REQUIRED not in contracts.behaviors(etag)):
            yield method.name


def request_ids() -> Found:
    for method in methods():
        field = method.descriptor.input_type.fields_by_name.get("request_id")
        if field is not None and not says(field, _REQUEST_ID):
            yield method.name


def contexts() -> Found:
    """What is a context and isn't called so, or the other way round; and a purpose in words without its code."""
    for field in all_fields():
        is_context = kind_of(field) == "tongban.common.v1.UseContext"
        beside = field.containing_type.fields_by_name if field.containing_type is not None else {}
        words_alone = field.name == "purpose" and "purpose_code" not in beside
        if is_context != (field.name == "use_context") or words_alone:
            yield str(field.full_name)


def _takes_context(method: Method) -> bool:
    return any(kind_of(field) == "tongban.common.v1.UseContext" for field in method.descriptor.input_type.fields)


def contexts_in_urls() -> Found:
    """No GET, nor a body beside the path that leaves the context to the query; Get and List are read."""
    for method in methods():
        paths = paths_of(method)
        hidden = all(verb == "POST" and body == "*" for verb, _, body in paths)
        read = not begins(str(method.descriptor.name), ("Get", "List")) or paths[0][1].endswith(":read")
        public = method.for_fronts
        if paths and _takes_context(method) and not (hidden and (read or not public)):
            yield method.name


def periods() -> Found:
    old = re.compile(r"begin_(?:time|date)|start|end|valid_(?:from|until)(?:_time|_date)?|first_day|last_day")
    for field in all_fields():
        if old.fullmatch(field.name) and kind_of(field) != "":
            yield str(field.full_name)
        if field.name == "expire_time" and "start_time" in owner(field).fields_by_name:
            yield str(field.full_name)


def digests() -> Found:
    for field in all_fields():
        if not re.fullmatch(r"(?:.*_)?digest", field.name):
            continue
        pattern = contracts.rules_of(field).string.pattern
        if field.type != FieldDescriptor.TYPE_STRING or (pattern and not _DIGEST.fullmatch(pattern)):
            yield str(field.full_name)
    for field in all_fields():
        logs = owner(field).file.package == "tongban.audit.v1" or owner(field).name == "Receipt"
        if re.fullmatch(r"(?:.*_)?hash", field.name) and not (logs and field.type == FieldDescriptor.TYPE_BYTES):
            yield str(field.full_name)


def _family() -> list[Descriptor]:
    return [each for each in all_messages() if each.file.name == "tongban/common/v1/party.proto"]


def parties() -> Found:
    """One shape for who takes part, by name, number and type; nobody makes another; one pattern for phones."""
    first: dict[str, FieldDescriptor] = {}
    for field in (field for message in _family() for field in message.fields):
        known = first.setdefault(str(field.name), field)
        if (field.number, field.type, kind_of(field)) != (known.number, known.type, kind_of(known)):
            yield str(field.full_name)
    for message in all_messages():
        told = {str(field.name) for field in message.fields}
        if message not in _family() and told >= {"display_name", "document"} and message.name != _STATED:
            yield str(message.full_name)
    for field in all_fields():
        pattern = contracts.rules_of(field).string.pattern
        if re.fullmatch(r"(?:.*_)?phone", field.name) and pattern not in (_PHONE, _PHONE.replace(")?$", ")$")):
            yield str(field.full_name)


def values() -> Found:
    """No map of bare scalars, and no message of a key and one: what a type declares is a Value."""
    for field in all_fields():
        if contracts.is_map(field) and contracts.message_of(field).fields_by_name["value"].message_type is None:
            yield str(field.full_name)
    for message in all_messages():
        kept = [message.fields_by_name.get(name) for name in ("key", "value")]
        if all(each is not None and each.message_type is None for each in kept):
            yield str(message.full_name)


def regions() -> Found:
    for field in all_fields():
        if field.name.endswith("region_code") and owner(field).name not in ("Address", "Department"):
            yield str(field.full_name)


def page_fields() -> Found:
    for method in methods():
        fields = method.descriptor.input_type.fields_by_name
        if "page_size" not in fields or "cursor" in fields:  # V4
            continue
        size, token = contracts.rules_of(fields["page_size"]).int32, contracts.rules_of(fields["page_token"]).string
        said = says(fields["page_size"], _PAGE_SIZE) and says(fields["page_token"], _PAGE_TOKEN)
        bounds = (size.HasField("gte"), size.gte, size.HasField("lte"), token.max_len)
        if bounds != (True, 0, False, 1000) or not said:
            yield method.name


def filters() -> Found:
    for method in methods():
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
    for method in methods():
        fields, answer = method.descriptor.input_type.fields_by_name, method.descriptor.output_type.fields_by_name
        if "cursor" in fields and ("page_token" in fields or not {"next_cursor", "at_end"} <= set(answer)):
            yield method.name


def operations() -> Found:
    for method in methods():
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
    for method in methods():
        if method.exchanges:
            result = method.descriptor.output_type.oneofs_by_name.get("result")
            kinds = [each.message_type for each in result.fields] if result else []
            error = {str(each.full_name) for each in kinds if each is not None}
            said = contracts.comment_of(method.name)
            if "google.rpc.Status" not in error or "STREAM_ENDING" not in said or not method.repeatable:
                yield method.name


def streamed() -> Found:
    for method in methods():
        if (
            method.descriptor.server_streaming
            and "streamError" in method.descriptor.output_type.fields_by_camelcase_name
        ):
            yield method.name


def files_uploaded_before() -> Found:
    """Nobody hands in a digest for a file that lies somewhere; a material says its own before its bytes follow."""
    for field in all_fields():
        given = {_REQUIRED, field_behavior_pb2.OPTIONAL} & {*contracts.behaviors(field)}
        if given and kind_of(field) == "tongban.common.v1.DocumentRef" and owner(field).name != "MaterialMetadata":
            yield str(field.full_name)


def deprecated() -> Found:
    for field in all_fields():
        if field.GetOptions().deprecated != contracts.comment_of(str(field.full_name)).startswith("Deprecated: "):
            yield str(field.full_name)
