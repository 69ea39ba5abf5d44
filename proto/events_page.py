"""Writes docs/events.md from the contract: every event with its type, audience, message, what it tells, and which RPCs emit it."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "events.md"
_HEAD = """# Events

Made from the `events.proto` of each service and the `emits` of each RPC by `./run proto`; a test compares. Don't edit.

An event is a CloudEvent 1.0. Its type has one message (`data`), whose JSON Schema the gateway serves at `dataschema`,
`/schemas/<type>.json`. Events of one `subject` keep their order, and `sequence` counts them without a gap: public ones by themselves,
so that who is told of those alone misses none.

- **PUBLIC** events are told to whoever may get the resource that they tell of: `GET /v1/events/<service>/changes`
  (`ListChanges`: a cursor, nothing is missed, kept for 35 days), and later by webhooks. They hold names, numbers, codes and published words only;
  who needs more gets the resource, and says why.
- **INTERNAL** events go to the services of the region alone, and may hold personal data.

Decision: [0056](decisions/0056-public-events-are-numbered-and-kept.md).
"""


def rendered(image: bytes) -> str:
    """Returns the page for an image of the contracts (a FileDescriptorSet with comments)."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - build-time only

    # Before anything is parsed: what is not known then stays unread.
    from tongban.options.v1 import options_pb2  # noqa: PLC0415 - generated just before

    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    emitters, lines = _emitters(files, options_pb2), [_HEAD.rstrip()]
    for file in files:
        comments = {tuple(each.path): each.leading_comments for each in file.source_code_info.location}
        rows = [
            _row(said, message.name, comments.get((4, place), ""), emitters[said.type])
            for place, message in enumerate(file.message_type)
            if (said := message.options.Extensions[options_pb2.message].event).type
        ]
        if rows:
            lines += [f"\n## {file.package.split('.')[1]}\n", "| Type | Message | Audience | Emitted by | When |"]
            lines += ["| --- | --- | --- | --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _emitters(files: Iterable[Any], options_pb2: Any) -> defaultdict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        for service in file.service:
            for method in service.method:
                for kind in method.options.Extensions[options_pb2.rpc].emits:
                    found[kind].append(f"`{service.name}.{method.name}`")
    return found


def _when(comment: str, kind: str) -> str:
    """What a comment says beside the type and the subject, which stand in columns of their own or in the type."""
    named = rf"`?{re.escape(kind)}`?"
    said = re.sub(rf" ?Type {named}, subject [^.]*\.", "", comment)
    said = re.sub(rf"^{named}(, subject [^:.]*)?[:.] ?", "", said)
    return said[:1].upper() + said[1:]


def _row(said: Any, name: str, comment: str, emitters: list[str]) -> str:
    from tongban.options.v1 import options_pb2  # noqa: PLC0415 - generated just before

    when = _when(" ".join(comment.split()).replace("|", "\\|"), said.type)
    audience = options_pb2.EventAudience.Name(said.audience).removeprefix("EVENT_AUDIENCE_")
    by = ", ".join(emitters) or "the service by itself"
    return f"| `{said.type}` | `{name}` | {audience} | {by} | {when} |"


if __name__ == "__main__":
    PAGE.write_text(rendered((PAGE.parents[1] / "proto/gen/tongban.binpb").read_bytes()), encoding="utf-8")
