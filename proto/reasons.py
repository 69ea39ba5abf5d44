"""Generates ``libs/errors/reasons.py``: a constructor for every reason that an error can carry, from the contract.

So no reason is a bare string in code, none lacks what its contract promises, and a new one is there as soon as it is
declared (``ErrorReason`` in ``tongban/errors/v1/error_reason.proto``).
"""

import textwrap
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import EnumValueDescriptor

from tongban.errors.v1 import error_reason_pb2

ROOT = Path(__file__).resolve().parent

_PREFIX = "ERROR_REASON_"
_ADDED = {"correlation_id"}
"""Keys that the server adds to every error of its reason: nobody who raises one knows them."""
_FILE = "tongban/errors/v1/error_reason.proto"
_HEAD = '''"""A constructor for every reason that an error can carry. Made from the contract by ``./run proto``: not edited."""

from libs.errors.family import (
{classes}
)
'''
_BODY = '''

def {name}(
    message: str, *{keys}, violations: tuple[Violation, ...] = (), retry_after: float | None = None
) -> {kind}:
    """{comment}"""
    return {kind}("{reason}", message, violations=violations, retry_after=retry_after{given})
'''


def write(image: Path, target: Path) -> None:
    """Writes the module from the image of the contracts (with source information)."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    file = next(each for each in files.file if each.name == _FILE)
    comments = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
    values = error_reason_pb2.ErrorReason.DESCRIPTOR.values
    made = [_constructor(value, comments.get((5, 0, 2, value.index), "")) for value in values if value.number]
    kinds = sorted({kind for kind, _ in made} | {"Violation"})
    head = _HEAD.format(classes="\n".join(f"    {kind}," for kind in kinds))
    target.write_text(head + "".join(text for _, text in made), encoding="utf-8")


def _constructor(value: EnumValueDescriptor, comment: str) -> tuple[str, str]:
    meaning = value.GetOptions().Extensions[error_reason_pb2.error]
    reason = value.name.removeprefix(_PREFIX)
    kind = "".join(word.title() for word in meaning.code.split("_"))
    keys = [key for key in meaning.metadata if key not in _ADDED]
    said = " ".join(comment.split()).replace("\\", "\\\\").replace('"""', "'''")
    return kind, _BODY.format(
        name=reason.lower(),
        kind=kind,
        reason=reason,
        keys="".join(f", {key}: str" for key in keys),
        given="".join(f", {key}={key}" for key in keys),
        comment="\n    ".join(textwrap.wrap(said, 112)),
    )


if __name__ == "__main__":
    write(ROOT / "gen" / "tongban.binpb", ROOT.parent / "libs" / "errors" / "reasons.py")
