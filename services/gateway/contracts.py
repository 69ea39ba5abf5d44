"""Reads the compiled contracts (``proto/gen/tongban.binpb``): the one source of routes, documents and allowlists."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool

from libs.rpc.contract import Method
from libs.rpc.images import image_path
from tongban.options.v1 import options_pb2

_SERVICE_FIELD, _METHOD_FIELD = 6, 2


def pack_path() -> Path:
    """Where the archive for partners lies: the sources of the contracts with all that they import."""
    return image_path().with_name("protos.zip")


def client_paths() -> list[Path]:
    """The client libraries that lie ready for partners, to install alone."""
    return sorted((image_path().parent / "tongban" / "clients").iterdir())


@dataclass(frozen=True)
class Rpc:
    """One RPC.

    Attributes:
        service: full name of its gRPC service.
        name: its name.
        comment: what the contract says of it.
        descriptor: the rest.
        method: the same, linked to its messages.
    """

    service: str
    name: str
    comment: str
    descriptor: descriptor_pb2.MethodDescriptorProto
    method: Method

    @property
    def path(self) -> str:
        """The gRPC path."""
        return f"/{self.service}/{self.name}"

    @cached_property
    def access(self) -> options_pb2.Access:
        """Who may call it."""
        return self.descriptor.options.Extensions[options_pb2.rpc].access

    @property
    def paths(self) -> list[str]:
        """All gRPC paths under which it is called."""
        return [f"/{service}/{self.name}" for service in self.method.services]

    @property
    def emits(self) -> list[str]:
        """The types of the events that it writes."""
        return list(self.descriptor.options.Extensions[options_pb2.rpc].emits)

    @property
    def internal(self) -> bool:
        """Whether only services of the same region may reach it."""
        return options_pb2.AUDIENCE_INTERNAL in self.access.audience

    @property
    def repeatable(self) -> bool:
        """Whether a second call has no second effect, as the contract says."""
        return self.method.repeatable

    @property
    def http(self) -> list[tuple[str, str, str]]:
        """Its HTTP mappings: verb, path template, body."""
        if not self.descriptor.options.HasExtension(annotations_pb2.http):
            return []
        rule = self.descriptor.options.Extensions[annotations_pb2.http]
        return [_binding(each) for each in (rule, *rule.additional_bindings)]


def _binding(rule: http_pb2.HttpRule) -> tuple[str, str, str]:
    verb = rule.WhichOneof("pattern") or "get"
    if verb == "custom":
        return rule.custom.kind, rule.custom.path, rule.body
    return verb.upper(), str(getattr(rule, verb)), rule.body


@dataclass(frozen=True)
class Service:
    """One gRPC service of ours: its full name, its comment and its RPCs; and whether every process serves it."""

    full_name: str
    comment: str
    rpcs: tuple[Rpc, ...]
    everywhere: bool = False

    @property
    def owner(self) -> str:
        """The process that serves it: ``cases`` of ``tongban.cases.v1.CaseService``; ``audit`` and ``events`` stand for all five."""
        return self.full_name.split(".")[1]

    @property
    def public_rpcs(self) -> tuple[Rpc, ...]:
        """Those that the gateway lets through."""
        return tuple(rpc for rpc in self.rpcs if not rpc.internal)


def read_image(path: Path | None = None) -> descriptor_pb2.FileDescriptorSet:
    """Reads the image."""
    return descriptor_pb2.FileDescriptorSet.FromString((path or image_path()).read_bytes())


def _comments(file: descriptor_pb2.FileDescriptorProto) -> dict[tuple[int, ...], str]:
    return {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}


def services(image: descriptor_pb2.FileDescriptorSet) -> list[Service]:
    """Returns our gRPC services, in the order of their names."""
    files = [file for file in image.file if file.package.startswith("tongban.")]
    return sorted(_services(files, _linked(image)), key=_name)


def _linked(image: descriptor_pb2.FileDescriptorSet) -> descriptor_pool.DescriptorPool:
    """The image's files in a pool of their own; each comes after what it imports."""
    pool = descriptor_pool.DescriptorPool()
    for file in image.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _name(service: Service) -> str:
    return service.full_name


def _services(
    files: Iterable[descriptor_pb2.FileDescriptorProto], pool: descriptor_pool.DescriptorPool
) -> Iterator[Service]:
    for file in files:
        said = _comments(file)
        for place, service in enumerate(file.service):
            full_name = f"{file.package}.{service.name}"
            rpcs = tuple(
                Rpc(
                    full_name,
                    method.name,
                    said.get((_SERVICE_FIELD, place, _METHOD_FIELD, index), ""),
                    method,
                    Method(pool.FindMethodByName(f"{full_name}.{method.name}")),
                )
                for index, method in enumerate(service.method)
            )
            everywhere = bool(service.options.Extensions[options_pb2.service].everywhere)
            yield Service(full_name, said.get((_SERVICE_FIELD, place), ""), rpcs, everywhere)
