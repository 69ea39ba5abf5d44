"""Generates ``libs/access/rights.py``: the region's services, and who holds which permission, from the contracts."""

from collections import defaultdict
from pathlib import Path

from google.protobuf import descriptor_pb2

from tongban.options.v1 import options_pb2

ROOT = Path(__file__).resolve().parent

_PREFIX = "HOLDER_"
_MODULE = '''"""Who holds which permission. Made from the contracts by ``./run proto``: not edited."""

from collections.abc import Mapping
from types import MappingProxyType

SERVICES = frozenset({services!r})
"""The region's services, by the names of their packages and certificates."""

PERMISSIONS = (
{permissions}
)
"""Every permission that a contract declares, sorted."""

READING = frozenset(
    (
{reading}
    )
)
"""Those of RPCs that only read, be it on record (`libs.rpc.contract.Method.writes`): the permission of a change is not among them."""

HELD: Mapping[str, frozenset[str]] = MappingProxyType(
    {{
{held}
    }}
)
"""The permissions of each holder (tongban.options.v1.Holder without its prefix)."""
'''


def write(image: Path, target: Path) -> None:
    """Writes the module from the image of the contracts."""
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    held: dict[str, set[str]] = defaultdict(set)
    services, permissions, changing = set(), set(), set()
    keyed = {
        f".{file.package}.{message.name}"
        for file in files.file
        for message in file.message_type
        if any(field.name == "request_id" for field in message.field)
    }
    for file in files.file:
        for service in file.service:
            if file.package.startswith("tongban."):
                _read(service, held, permissions)
                changing |= {_permission(each) for each in service.method if not _only_reads(each, keyed)}
                if not service.options.Extensions[options_pb2.service].everywhere:
                    services.add(file.package.split(".")[1])
    target.write_text(
        _MODULE.format(
            services=sorted(services),
            permissions="\n".join(f"    {each!r}," for each in sorted(permissions)),
            reading="\n".join(f"        {each!r}," for each in sorted(permissions - changing)),
            held="\n".join(_entry(name, held[name]) for name in _holders()),
        ),
        encoding="utf-8",
    )


def _read(service: descriptor_pb2.ServiceDescriptorProto, held: dict[str, set[str]], permissions: set[str]) -> None:
    everywhere = list(service.options.Extensions[options_pb2.service].holders)
    for method in service.method:
        access = method.options.Extensions[options_pb2.rpc].access
        if access.permission:
            permissions.add(access.permission)
            for holder in (*everywhere, *access.holders):
                held[options_pb2.Holder.Name(holder)].add(access.permission)


def _permission(method: descriptor_pb2.MethodDescriptorProto) -> str:
    return str(method.options.Extensions[options_pb2.rpc].access.permission)


def _only_reads(method: descriptor_pb2.MethodDescriptorProto, keyed: set[str]) -> bool:
    return method.input_type not in keyed and not method.options.Extensions[options_pb2.rpc].once_by


def _holders() -> list[str]:
    return [name for name, number in options_pb2.Holder.items() if number]


def _entry(name: str, permissions: set[str]) -> str:
    lines = "\n".join(f"                {each!r}," for each in sorted(permissions))
    return f"        {name.removeprefix(_PREFIX)!r}: frozenset(\n            (\n{lines}\n            )\n        ),"


if __name__ == "__main__":
    write(ROOT / "gen" / "tongban.binpb", ROOT.parent / "libs" / "access" / "rights.py")
