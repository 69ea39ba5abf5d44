"""Compares the contracts with those of the last release (``proto/releases/<version>.binpb``): what was promised stays.

``buf breaking`` reads messages, fields, enums and RPCs. What it does not read are our promises beyond protobuf's: HTTP
paths, types of events, what a reason means, that no field becomes required, and that no field takes less than it took.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import Message

from buf.validate import validate_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.options.v1 import options_pb2

ROOT = Path(__file__).resolve().parent
IMAGE = ROOT / "gen" / "tongban.binpb"
RELEASES = ROOT / "releases"
_LEAST = frozenset({"min_len", "min_bytes", "min_items", "min_pairs", "gte", "gt"})
_MOST = frozenset({"max_len", "max_bytes", "max_items", "max_pairs", "lte", "lt"})
_VERSION = re.compile(r"\d+\.\d+\.\d+")


class Promise(NamedTuple):
    """One thing that a contract says to those who rely on it: of what, which kind of thing, and what is said."""

    about: str
    kind: str
    said: str


def releases(folder: Path = RELEASES) -> list[Path]:
    """Returns the images of all releases, the oldest first."""
    return sorted(folder.glob("*.binpb"), key=lambda path: [int(part) for part in path.stem.split(".")])


def cut(version: str, folder: Path = RELEASES, image: Path = IMAGE) -> Path:
    """Keeps today's contracts as those of ``version``, without their comments.

    Raises:
        SystemExit: when the version is none, or was cut already.
    """
    target = folder / f"{version}.binpb"
    if not _VERSION.fullmatch(version) or target.exists():
        raise SystemExit(f"{version} is no version, or its contracts are kept already")
    files = read(image)
    for file in files.file:
        file.ClearField("source_code_info")
    target.write_bytes(files.SerializeToString(deterministic=True))
    return target


def read(image: Path) -> FileDescriptorSet:
    """Returns the files of an image."""
    return FileDescriptorSet.FromString(image.read_bytes())


def broken(released: FileDescriptorSet, today: FileDescriptorSet) -> list[str]:
    """Returns a sentence for each promise of the release that today's contracts don't keep."""
    before, now = set(_promises(released)), set(_promises(today))
    lost = [f"{about}: {kind} {said} is gone or another" for about, kind, said in sorted(before - now)]
    return lost + _newly_required(released, today) + _narrowed(released, today)


def _promises(files: FileDescriptorSet) -> Iterator[Promise]:
    for file in _ours(files):
        yield from _paths(file)
        for message in file.message_type:
            event = message.options.Extensions[options_pb2.message].event
            if event.type:
                yield Promise(f"{file.package}.{message.name}", "event", event.type)
                if event.audience == options_pb2.EVENT_AUDIENCE_PUBLIC:
                    yield Promise(f"{file.package}.{message.name}", "audience", "PUBLIC")
        for enum in file.enum_type:
            for value in enum.value:
                meaning = value.options.Extensions[error_reason_pb2.error]
                if meaning.code:
                    yield Promise(value.name, "code", meaning.code)
                    yield from (Promise(value.name, "metadata", key) for key in meaning.metadata)


def _paths(file: FileDescriptorProto) -> Iterator[Promise]:
    for service in file.service:
        for method in service.method:
            about = f"{file.package}.{service.name}.{method.name}"
            http = method.options.Extensions[annotations_pb2.http]
            for rule in (http, *http.additional_bindings):
                verb = rule.WhichOneof("pattern")
                if verb:
                    yield Promise(about, "path", f"{verb.upper()} {getattr(rule, verb)} {rule.body}".rstrip())


def _newly_required(released: FileDescriptorSet, today: FileDescriptorSet) -> list[str]:
    """A request that was complete when it was written must stay so."""
    known = {name for name, _ in _messages(released)}
    before = set(_required(released))
    return [
        f"{message}.{field}: has become REQUIRED"
        for message, field in _required(today)
        if message in known and (message, field) not in before
    ]


def _required(files: FileDescriptorSet) -> Iterator[tuple[str, str]]:
    for name, message in _messages(files):
        for field in message.field:
            if field_behavior_pb2.REQUIRED in field.options.Extensions[field_behavior_pb2.field_behavior]:
                yield name, field.name


def _narrowed(released: FileDescriptorSet, today: FileDescriptorSet) -> list[str]:
    """What was taken is taken: rules are widened only. What a pattern or an expression takes nobody tells by reading it."""
    before, now = _rules(released), _rules(today)
    return [
        f"{field}: {rule} takes less than it took"
        for field in sorted(before.keys() & now.keys())
        for rule, value in sorted(now[field].items())
        if _takes_less(rule.rpartition(".")[2], before[field].get(rule), value)
    ]


def _takes_less(rule: str, before: Any, now: Any) -> bool:
    """Whether a rule takes less with its value of ``now`` than with that of ``before``, None where it did not stand."""
    if rule in _LEAST:
        return before is None or now > before
    if rule in _MOST:
        return before is None or now < before
    if rule == "in":
        return before is None or not set(before) <= set(now)
    return rule == "not_in" and not set(now) <= set(before or ())


def _rules(files: FileDescriptorSet) -> dict[str, dict[str, Any]]:
    """Returns the rules of each field by their paths (``repeated.items.string.max_len``)."""
    return {
        f"{name}.{field.name}": dict(_leaves(field.options.Extensions[validate_pb2.field]))
        for name, message in _messages(files)
        for field in message.field
    }


def _leaves(rules: Message, path: str = "") -> Iterator[tuple[str, Any]]:
    for field, value in rules.ListFields():
        if isinstance(value, Message):
            yield from _leaves(value, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", value


def _messages(files: FileDescriptorSet) -> Iterator[tuple[str, DescriptorProto]]:
    for file in _ours(files):
        for message in file.message_type:
            yield f"{file.package}.{message.name}", message
            yield from ((f"{file.package}.{message.name}.{inner.name}", inner) for inner in message.nested_type)


def _ours(files: FileDescriptorSet) -> list[FileDescriptorProto]:
    return [file for file in files.file if file.package.startswith("tongban.")]


def compare(released: Path, image: Path = IMAGE) -> list[str]:
    """Returns what an image breaks of a release's, in the words of buf and in ours; empty where it keeps all."""
    command = [
        str(Path(sys.executable).parent / "buf"),
        "breaking",
        str(image),
        "--against",
        str(released),
        "--path",
        "tongban",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    # 100 is buf's word for "it breaks"; anything else that is not 0 is a fault of the check itself.
    if done.returncode not in (0, 100):
        raise SystemExit("\n".join(lines))
    return lines + broken(read(released), read(image))


def main(arguments: list[str]) -> None:
    """``cut VERSION`` keeps the contracts of a release; without arguments they are compared with the last one."""
    if arguments:
        sys.stdout.write(f"{cut(arguments[-1]).relative_to(ROOT.parent)}\n")
        return
    kept = releases()
    if not kept:
        sys.stdout.write("no release has been cut yet: there are no contracts to compare with (proto/releases)\n")
        return
    lines = compare(kept[-1])
    if lines:
        raise SystemExit("\n".join([f"the contracts break what {kept[-1].stem} promised:", *lines]))


if __name__ == "__main__":
    main(sys.argv[1:])
