"""Writes docs/errors.md from the contract: every reason an error can carry, with its code, its words and its metadata."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
_ENUM = "tongban/errors/v1/error_reason.proto"
_OWNERS = {0: "General", 1: "identity", 2: "license", 3: "seal", 4: "cases", 5: "sharing"}
_HEAD = """# Errors

Made from `proto/tongban/errors/v1/error_reason.proto` and the `refuses` of each RPC by `./run proto`; a test compares. Don't edit.

An error is google.rpc.Status with one ErrorInfo (domain `tongban`): its `reason` is one of these, never renamed, always of the same
code; `metadata` has the keys named here. A LocalizedMessage brings the sentence for people, in Chinese (zh-CN) or, where
`Accept-Language` (over gRPC the metadata `accept-language`) asks for it, in English (en); BadRequest names broken fields and rules,
RetryInfo says when to come again. Over JSON the status is that of the code. Where a call that changes something was refused,
nothing was changed; a repeat with the same `request_id` is safe.

## Of which RPCs

What an RPC says of itself stands under [each RPC](#each-rpc). These follow from what else it declares and are said there only
where it adds a condition of its own:

| Reason | Every RPC that |
| --- | --- |
{implied}
"""
IMPLIED = {
    "FIELD_INVALID": "takes a request",
    "MESSAGE_TOO_LARGE": "takes a request",
    "RATE_LIMITED": "is there",
    "DEADLINE_TOO_SHORT": "is there",
    "NOT_DONE_IN_TIME": "streams in no direction",
    "STREAM_IDLE": "streams",
    "STREAM_ENDING": "streams both ways",
    "STREAM_TOO_LONG": "streams both ways",
    "DEPENDENCY_UNAVAILABLE": "is there",
    "INTERNAL": "is there",
    "PEER_NOT_ALLOWED": "is called directly, by a system that is not on the list of its service; never through the gateway",
    "TOKEN_INVALID": "is called with a token, also where it needs none",
    "POSSESSION_NOT_PROVEN": "is called with a token that is bound to a key",
    "CERTIFICATE_NOT_PRESENTED": "is called with a token that is bound to a certificate",
    "CLIENT_ADDRESS_NOT_ALLOWED": "is called with a token of a client that calls from certain addresses alone",
    "SIGNATURE_REQUIRED": "is called through the gateway with a token of a client that signs its requests, and not signed by it",
    "REGION_NOT_TRUSTED": "is called with a token that another region stands behind",
    "REGION_READS_ONLY": "changes something, and is called with a token that another region stands behind, with which the trust lets only reads pass",
    "TOKEN_MISSING": "is not public",
    "PERMISSION_MISSING": "is not public",
    "ACTOR_NOT_ALLOWED": "is for some kinds of caller, or for human beings, alone",
    "ASSURANCE_TOO_LOW": "asks for an assurance, of people and staff",
    "MANDATE_OUT_OF_SCOPE": "asks for a power of a mandate, of whoever acts under one",
    "AUTHENTICATION_TOO_OLD": "asks for a sign-in that is not long ago, of people and staff",
    "ACTING_ON_SELF": "handles affairs: of staff in an affair of their own, or of those near to them",
    "REQUEST_ID_REUSED": "takes a request_id",
    "CONCURRENT_CHANGE": "changes something",
    "PAGE_TOKEN_INVALID": "takes a page_token",
    "PURPOSE_UNKNOWN": "takes a use_context, or names a purpose otherwise; never of another region's callers",
    "AUDIT_UNAVAILABLE": "tells of somebody and changes nothing: a change and its record are one",
    "REGION_TRUST_NOT_COVERING": "can name a region or a thing of one in what it takes or answers: its trust in us, or ours in it, does not cover who asks",
    "MANDATE_NOT_FOR_REGION": "can name a region or a thing of one in what it takes or answers, of whoever acts under a mandate",
}
"""What `libs.rpc.refusals` works out, in words; a test compares."""


def rendered(image: bytes) -> str:
    """Returns the page for an image of the contracts (a FileDescriptorSet with comments)."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - build-time only

    # Both before anything is parsed: what is not known then stays unread.
    from tongban.errors.v1 import error_reason_pb2  # noqa: PLC0415 - generated just before
    from tongban.options.v1 import options_pb2  # noqa: F401, PLC0415

    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    file = next(each for each in files if each.name == _ENUM)
    comments = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
    implied = "\n".join(f"| `{reason}` | {which} |" for reason, which in IMPLIED.items())
    lines, owner = [_HEAD.format(implied=implied).rstrip()], -1
    for place, value in enumerate(file.enum_type[0].value):
        if value.number == 0:
            continue
        if value.number // 100 != owner:
            owner = value.number // 100
            lines += [
                f"\n## {_OWNERS[owner]}\n",
                "| Reason | Code | 中文 | English | Metadata | When |",
                "| --- | --- | --- | --- | --- | --- |",
            ]
        lines.append(_row(value.name, value.options.Extensions[error_reason_pb2.error], comments[(5, 0, 2, place)]))
    return "\n".join([*lines, "\n## Each RPC", *_of_rpcs(files)]) + "\n"


def _of_rpcs(files: Iterable[Any]) -> Iterator[str]:
    """What each RPC says of itself, service by service."""
    for file in files:
        for service in file.service if file.package.startswith("tongban.") else ():
            yield f"\n### {file.package}.{service.name}\n"
            for method in service.method:
                yield f"- `{method.name}`: {_own(method)}"


def _own(method: Any) -> str:
    from tongban.errors.v1 import error_reason_pb2  # noqa: PLC0415 - generated just before
    from tongban.options.v1 import options_pb2  # noqa: PLC0415 - generated just before

    def told(refusal: Any) -> str:
        reason = error_reason_pb2.ErrorReason.Name(refusal.reason).removeprefix("ERROR_REASON_")
        return f"`{reason}`" + (f" ({refusal.when})" if refusal.when else "")

    return ", ".join(map(told, method.options.Extensions[options_pb2.rpc].refuses)) or "nothing of its own"


def _row(name: str, error: Any, comment: str) -> str:
    keys = ", ".join(f"`{key}`" for key in error.metadata)
    when = " ".join(comment.split()).replace("|", "\\|")
    from libs.errors import Code  # noqa: PLC0415 - build-time only

    code = f"{error.code} {Code[error.code].http}"
    return f"| `{name.removeprefix('ERROR_REASON_')}` | {code} | {error.message_zh} | {error.message_en} | {keys} | {when} |"


if __name__ == "__main__":
    PAGE.write_text(rendered((PAGE.parents[1] / "proto/gen/tongban.binpb").read_bytes()), encoding="utf-8")
