"""Writes docs/errors.md from the contract: every reason an error can carry, with its code, its words and its metadata."""

from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
_ENUM = "tongban/errors/v1/error_reason.proto"
_HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_OWNERS = {0: "General", 1: "identity", 2: "license", 3: "seal", 4: "cases", 5: "sharing"}
_HEAD = """# Errors

Made from `proto/tongban/errors/v1/error_reason.proto` by `./run proto`; a test compares. Don't edit.

An error is google.rpc.Status with one ErrorInfo (domain `tongban`): its `reason` is one of these, never renamed, always of the same
code; `metadata` has the keys named here. A LocalizedMessage (zh-CN) brings the sentence; BadRequest names broken fields and rules,
RetryInfo says when to come again. Over JSON the status is that of the code. Where a call that changes something was refused,
nothing was changed; a repeat with the same `request_id` is safe.
"""


def rendered(image: bytes) -> str:
    """Returns the page for an image of the contracts (a FileDescriptorSet with comments)."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - build-time only

    from tongban.errors.v1 import error_reason_pb2  # noqa: PLC0415 - generated just before

    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    file = next(each for each in files if each.name == _ENUM)
    comments = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
    lines, owner = [_HEAD.rstrip()], -1
    for place, value in enumerate(file.enum_type[0].value):
        if value.number == 0:
            continue
        if value.number // 100 != owner:
            owner = value.number // 100
            lines += [
                f"\n## {_OWNERS[owner]}\n",
                "| Reason | Code | 中文 | Metadata | When |",
                "| --- | --- | --- | --- | --- |",
            ]
        lines.append(_row(value.name, value.options.Extensions[error_reason_pb2.error], comments[(5, 0, 2, place)]))
    return "\n".join(lines) + "\n"


def _row(name: str, error: Any, comment: str) -> str:
    keys = ", ".join(f"`{key}`" for key in error.metadata)
    when = " ".join(comment.split()).replace("|", "\\|")
    code = f"{error.code} {_HTTP[error.code]}"
    return f"| `{name.removeprefix('ERROR_REASON_')}` | {code} | {error.message_zh} | {keys} | {when} |"


if __name__ == "__main__":
    PAGE.write_text(rendered((PAGE.parents[1] / "proto/gen/tongban.binpb").read_bytes()), encoding="utf-8")
