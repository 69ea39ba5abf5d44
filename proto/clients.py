"""Generates ``libs/client/made``: a typed method for every RPC that a client can reach, async and blocking, from the contract.

A request's fields are the method's arguments: required where the contract says so, except ``request_id``, which the client
makes once for each logical call. What pages gets an iterator beside it. Comments of the contract become docstrings.
"""

import keyword
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.api import annotations_pb2, field_behavior_pb2  # noqa: F401 - known to the pool
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

from tongban.errors.v1 import error_reason_pb2
from tongban.options.v1 import options_pb2

ROOT = Path(__file__).resolve().parent

_MODULE = '''"""The calls of ``{package}``. Made from the contract by ``./run proto``: not edited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from libs.client.calls import AnyIterable, AsyncCalls, AsyncDownload, Calls, Download
{imports}


class Async{name}Client(AsyncCalls):
    """{comment}"""
{async_methods}

class {name}Client(Calls):
    """{comment}"""
{methods}'''
_INDEX = '''"""The whole API, by package. Made from the contracts by ``./run proto``: not edited."""

from libs.client.calls import AsyncRegionCalls, RegionCalls
{imports}


class AsyncApi:
    """Everything that a region offers to clients."""

    def __init__(self, caller: AsyncRegionCalls) -> None:
{async_members}


class Api:
    """Everything that a region offers to clients, for code that waits."""

    def __init__(self, caller: RegionCalls) -> None:
{members}
'''
_SCALARS = {
    FieldDescriptor.CPPTYPE_INT32: ("int", "0"),
    FieldDescriptor.CPPTYPE_INT64: ("int", "0"),
    FieldDescriptor.CPPTYPE_UINT32: ("int", "0"),
    FieldDescriptor.CPPTYPE_UINT64: ("int", "0"),
    FieldDescriptor.CPPTYPE_DOUBLE: ("float", "0.0"),
    FieldDescriptor.CPPTYPE_FLOAT: ("float", "0.0"),
    FieldDescriptor.CPPTYPE_BOOL: ("bool", "False"),
}
_OURS = {"timeout", "self"}


class _Package:
    """One package's module while it is written."""

    def __init__(self, package: str, files: list[FileDescriptor], comments: dict[str, str]) -> None:
        self._package = package
        self._files = files
        self._comments = comments
        self._imports: set[str] = set()
        self.short = package.split(".")[1]
        self.name = self.short.title()

    def text(self) -> str:
        """The module."""
        methods = [
            method for file in self._files for service in file.services_by_name.values() for method in service.methods
        ]
        reachable = [method for method in methods if options_pb2.AUDIENCE_FRONT in _access(method).audience]
        waiting = "".join(self._method(method, waits=True) for method in reachable)
        going = "".join(self._method(method, waits=False) for method in reachable)
        return _MODULE.format(
            package=self._package,
            name=self.name,
            comment=f"What ``{self._package}`` offers to clients.",
            imports="\n".join(sorted(self._imports)),
            async_methods=going,
            methods=waiting,
        )

    def _method(self, method: MethodDescriptor, *, waits: bool) -> str:
        if method.client_streaming and method.server_streaming:
            return self._exchange(method, waits=waits)
        if method.client_streaming:
            return self._upload(method, waits=waits)
        if method.server_streaming:
            return self._download(method, waits=waits)
        asked, answer = self._type(method.input_type), self._type(method.output_type)
        fields = list(method.input_type.fields)
        call = f"self._call({self._made(asked, fields)}, {answer}, timeout){_untyped(fields)}"
        made = self._def(method, _snake(method.name), fields, answer, call, waits=waits)
        items = _pages(method)
        if items is None:
            return made
        kept = [field for field in fields if field.name != "page_token"]
        call = f"self._pages({self._made(asked, kept)}, {answer}, lambda page: page.{items.name}, timeout)"
        kind = f"{'' if waits else 'Async'}Iterator[{self._plain(items)[0]}]"
        name = "iterate_" + _snake(method.name).removeprefix("list_")
        return made + self._def(method, name, kept, kind, call, waits=waits, paged=True)

    def _download(self, method: MethodDescriptor, *, waits: bool) -> str:
        first, _ = _parts(method, method.output_type)
        fields = list(method.input_type.fields)
        asked, answer = self._type(method.input_type), self._type(method.output_type)
        head = f"lambda part: part.{first.name} if part.HasField({first.name!r}) else None"
        call = f"self._download({self._made(asked, fields)}, {answer}, {head}, timeout)"
        kind = f"{'' if waits else 'Async'}Download[{self._plain(first)[0]}]"
        return self._def(method, _snake(method.name), fields, kind, call, waits=waits)

    def _exchange(self, method: MethodDescriptor, *, waits: bool) -> str:
        asked, answer = self._type(method.input_type), self._type(method.output_type)
        requests, answers = ("Iterable", "Iterator") if waits else ("AnyIterable", "AsyncIterator")
        return _written(
            f"{_snake(method.name)}(self, requests: {requests}[{asked}], *, timeout: float | None = None) -> {answers}[{answer}]",
            self._said(method),
            f"self._exchange(requests, {asked}, {answer}, timeout)",
            waits=True,
            plain=True,
        )

    def _upload(self, method: MethodDescriptor, *, waits: bool) -> str:
        first, _ = _parts(method, method.input_type)
        asked, answer = self._type(method.input_type), self._type(method.output_type)
        name, given = _snake(method.name), f"{first.name}: {self._plain(first)[0]}, content: bytes"
        parts = f"{asked}({first.name}={first.name}), lambda chunk: {asked}(chunk=chunk), content"
        return _written(
            f"{name}(self, {given}, *, timeout: float | None = None) -> {answer}",
            self._said(method),
            f"self._upload({parts}, {answer}, timeout)",
            waits=waits,
        )

    def _def(
        self,
        method: MethodDescriptor,
        name: str,
        fields: list[FieldDescriptor],
        answer: str,
        call: str,
        *,
        waits: bool,
        paged: bool = False,
    ) -> str:
        given = ", ".join(
            [
                *sorted((self._argument(field) for field in fields), key=lambda each: "=" in each),
                "timeout: float | None = None",
            ]
        )
        comment = self._said(method)
        if paged:
            lacks = "unreachable" in method.output_type.fields_by_name
            behind = " Where regions are missing RegionsUnreachable comes behind the last." if lacks else ""
            comment = f"Iterates over all pages of {method.name}.{behind}\n\n{comment}"
        told = [f"{_called(field)}: {' '.join(self._comments.get(field.full_name, '').split())}" for field in fields]
        return _written(f"{name}(self, *, {given}) -> {answer}", comment, call, told, waits=waits or paged, plain=paged)

    def _said(self, method: MethodDescriptor) -> str:
        """What the contract says of the RPC, and for which reasons of its own it refuses."""
        comment, refuses = self._comments.get(method.full_name, ""), _refusals(method)
        return f"{comment}\n\nRefuses with {refuses}." if refuses else comment

    def _made(self, asked: str, fields: list[FieldDescriptor]) -> str:
        return f"{asked}({', '.join(f'{field.name}={_called(field)}' for field in fields)})"

    def _argument(self, field: FieldDescriptor) -> str:
        kind, default = self._kind(field)
        required = _required(field) and field.name != "request_id"
        return f"{_called(field)}: {kind}" if required else f"{_called(field)}: {kind} = {default}"

    def _kind(self, field: FieldDescriptor) -> tuple[str, str]:
        """The type of an argument and its default."""
        plain, zero = self._plain(field)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            pair = field.message_type.fields_by_name
            types = f"Mapping[{self._plain(pair['key'])[0]}, {self._plain(pair['value'])[0]}]"
            return (types, "{}") if _required(field) else (f"{types} | None", "None")
        if field.is_repeated:
            return f"Iterable[{plain}]", "()"
        if field.has_presence and not _required(field):
            return f"{plain} | None", "None"
        return plain, zero

    def _plain(self, field: FieldDescriptor) -> tuple[str, str]:
        """The type of one value and what stands for none."""
        if field.message_type is not None:
            return self._type(field.message_type), "None"
        if field.enum_type is not None:
            place = self._type(field.enum_type.containing_type or field.enum_type)
            scope = place if field.enum_type.containing_type else place.rpartition(".")[0]
            return f"{scope}.{field.enum_type.name}.ValueType", f"{scope}.{field.enum_type.values[0].name}"
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return ("bytes", 'b""') if field.type == FieldDescriptor.TYPE_BYTES else ("str", '""')
        return _SCALARS[field.cpp_type]

    def _type(self, described: Descriptor) -> str:
        """The name of a message or enum here; its module is imported."""
        folder, _, stem = described.file.name.removesuffix(".proto").rpartition("/")
        alias = "_".join([*folder.split("/")[1:2], stem]) if folder.startswith("tongban") else stem
        self._imports.add(f"from {folder.replace('/', '.')} import {stem}_pb2 as {alias}")
        return f"{alias}.{described.full_name.removeprefix(described.file.package + '.')}"


def _written(
    signature: str, comment: str, call: str, told: Sequence[str] = (), *, waits: bool, plain: bool = False
) -> str:
    prefix = "" if waits else "async "
    lines = [line.strip() for line in comment.strip().splitlines()]
    if told:
        lines += ["", "Args:", *(f"    {each}" for each in told)]
    said = "\n".join(textwrap.indent(line, "        ") if line else "" for line in lines).strip()
    said = said.replace("\\", "\\\\").replace('"""', "'''")
    end = " " if said.endswith('"') else ""
    return f'\n    {prefix}def {signature}:\n        """{said}{end}"""\n        return {"" if waits or plain else "await "}{call}\n'


def _called(field: FieldDescriptor) -> str:
    """What the argument of a field is called: as the field, with a line behind what means something else here (PEP 8)."""
    return f"{field.name}_" if keyword.iskeyword(field.name) or field.name in _OURS else str(field.name)


def _parts(method: MethodDescriptor, message: Descriptor) -> tuple[FieldDescriptor, FieldDescriptor]:
    """The first message of a stream and the chunks that follow: the only form that streams of ours have."""
    parts = list(message.oneofs[0].fields) if message.oneofs else []
    if len(parts) != 2 or parts[0].message_type is None or parts[1].name != "chunk":
        raise SystemExit(f"proto/clients.py: {method.full_name} streams other than a head and chunks")
    return parts[0], parts[1]


def _refusals(method: MethodDescriptor) -> str:
    refuses = method.GetOptions().Extensions[options_pb2.rpc].refuses
    names = (error_reason_pb2.ErrorReason.Name(each.reason).removeprefix("ERROR_REASON_") for each in refuses)
    told = (f"{name} ({each.when})" if each.when else name for name, each in zip(names, refuses, strict=True))
    return ", ".join(told)


def _access(method: MethodDescriptor) -> options_pb2.Access:
    return method.GetOptions().Extensions[options_pb2.rpc].access


def _required(field: FieldDescriptor) -> bool:
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _pages(method: MethodDescriptor) -> FieldDescriptor | None:
    """The field that a page's items are in; None where the RPC does not page."""
    if (
        "page_token" not in method.input_type.fields_by_name
        or "next_page_token" not in method.output_type.fields_by_name
    ):
        return None
    found = [field for field in method.output_type.fields if field.is_repeated and field.message_type is not None]
    return found[0] if found else None


def _untyped(fields: list[FieldDescriptor]) -> str:
    """A scalar of a oneof may be None, which means that it is not set; mypy-protobuf does not say so."""
    return "  # type: ignore[arg-type]" if any(_chosen(field) for field in fields) else ""


def _chosen(field: FieldDescriptor) -> bool:
    return field.has_presence and field.message_type is None and not _required(field)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _comments(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    said = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    for at, service in enumerate(file.service):
        for index, method in enumerate(service.method):
            yield f"{file.package}.{service.name}.{method.name}", said.get((6, at, 2, index), "")
    for at, message in enumerate(file.message_type):
        for index, field in enumerate(message.field):
            yield f"{file.package}.{message.name}.{field.name}", said.get((4, at, 2, index), "")


def _packages(image: Path) -> Iterator[_Package]:
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())
    pool = descriptor_pool.Default()
    by_package: dict[str, list[FileDescriptor]] = {}
    comments: dict[str, str] = {}
    for file in files.file:
        if file.package.startswith("tongban.") and file.service:
            __import__(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
            by_package.setdefault(file.package, []).append(pool.FindFileByName(file.name))
            comments.update(_comments(file))
    for package, found in sorted(by_package.items()):
        yield _Package(package, found, comments)


def write(image: Path, target: Path) -> None:
    """Writes the modules from the image of the contracts (with source information)."""
    packages = list(_packages(image))
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for each in packages:
        target.joinpath(f"{each.short}.py").write_text(each.text(), encoding="utf-8")
    imports = [
        f"from libs.client.made.{each.short} import Async{each.name}Client, {each.name}Client" for each in packages
    ]
    target.joinpath("__init__.py").write_text(
        _INDEX.format(
            imports="\n".join(imports),
            async_members="\n".join(f"        self.{each.short} = Async{each.name}Client(caller)" for each in packages),
            members="\n".join(f"        self.{each.short} = {each.name}Client(caller)" for each in packages),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    write(ROOT / "gen" / "tongban.binpb", ROOT.parent / "libs" / "client" / "made")
