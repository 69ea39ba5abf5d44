"""Writes docs/permissions.md from the contracts: which duty, and who else, holds which permission, and what it lets them call."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "permissions.md"
_HEAD = """# Permissions

Made from the contracts (`holders` of each service and RPC) by `./run proto`; a test compares. Don't edit.

A token holds permissions (`scope`); who it is made for decides which: the duties of a member of staff's posts, a person, another
region, a client by what it was given. `family.*` stands for all permissions of a family. Holding one is not all: each RPC says
beside it which kinds of caller it lets in, which assurance, which power of a mandate, how old a sign-in may be, and who is excluded
because of an earlier step; `/docs` shows that for each method, and its own rules come on top.

## Who holds what
"""
HOLDERS = {
    "PERSON": "a person, in their own affairs or for whom they act for; a guest",
    "WINDOW": "a person at a window, beside what the person holds",
    "REGION": "another region's services and staff",
    "STAFF": "every member of staff with a post",
    "RECEIVING": "duty RECEIVING 受理",
    "REVIEWING": "duty REVIEWING 审查",
    "DECIDING": "duty DECIDING 决定",
    "SEAL_CUSTODY": "duty SEAL_CUSTODY 印章保管",
    "DATA": "duty DATA 数据管理",
    "ADMINISTRATION": "duty ADMINISTRATION 系统管理",
    "AUDITING": "duty AUDITING 审计",
    "ADMINISTRATOR": "the client of the first start, and what it may give to clients",
    "IDENTITY_SERVICE": "the identity service",
    "LICENSE_SERVICE": "the license service",
    "SEAL_SERVICE": "the seal service",
    "CASES_SERVICE": "the cases service",
    "SHARING_SERVICE": "the sharing service",
    "SECURITY": "duty SECURITY 安全管理",
}
"""Holders in words, in the order of the contract; a test compares. The services' own are left out of the tables."""
_SHOWN = [name for name in HOLDERS if not name.endswith("_SERVICE")]


def rendered(image: bytes) -> str:
    """Returns the page for an image of the contracts (a FileDescriptorSet)."""
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - build-time only

    # Before anything is parsed: what is not known then stays unread.
    from tongban.options.v1 import options_pb2  # noqa: F401, PLC0415 - generated just before

    files = descriptor_pb2.FileDescriptorSet.FromString(image).file
    callable_by, holders = _read(files)
    lines = [_HEAD]
    for holder in _SHOWN:
        held = sorted(permission for permission, names in holders.items() if holder in names)
        lines += [f"### {HOLDERS[holder]}\n", *(f"- `{each}`" for each in held or ["nothing"]), ""]
    lines += ["## What each lets one call\n", "| Permission | RPCs | Held by |", "| --- | --- | --- |"]
    for permission, rpcs in sorted(callable_by.items()):
        names = ", ".join(each for each in _SHOWN if each in holders[permission]) or "services of the region"
        lines.append(f"| `{permission}` | {', '.join(f'`{rpc}`' for rpc in rpcs)} | {names} |")
    return "\n".join(lines) + "\n"


def _read(files: Iterable[Any]) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """The RPCs and the holders of each permission."""
    from tongban.options.v1 import options_pb2  # noqa: PLC0415 - generated just before

    callable_by, holders = defaultdict[str, list[str]](list), defaultdict[str, set[str]](set)
    for service in (each for file in files if file.package.startswith("tongban.") for each in file.service):
        everywhere = list(service.options.Extensions[options_pb2.service].holders)
        for method in service.method:
            access = method.options.Extensions[options_pb2.rpc].access
            if access.permission:
                callable_by[access.permission].append(f"{service.name}.{method.name}")
                names = (options_pb2.Holder.Name(holder) for holder in (*everywhere, *access.holders))
                holders[access.permission] |= {name.removeprefix("HOLDER_") for name in names}
    return callable_by, holders


if __name__ == "__main__":
    PAGE.write_text(rendered((PAGE.parents[1] / "proto/gen/tongban.binpb").read_bytes()), encoding="utf-8")
