"""What the contracts declare of each RPC, read once from the descriptors."""

from dataclasses import dataclass
from functools import cache, cached_property

from google.protobuf import descriptor, descriptor_pb2, message, message_factory

from tongban.options.v1 import options_pb2

DEFAULT_SECONDS = 30
"""How long a call may take where its contract does not say."""


class ContractError(Exception):
    """A contract does not declare what it must; the server does not start."""


@dataclass(frozen=True)
class Method:
    """One RPC as its contract declares it."""

    descriptor: descriptor.MethodDescriptor

    @cached_property
    def name(self) -> str:
        """The full name with a dot, such as ``tongban.cases.v1.CaseService.AcceptCase``."""
        return str(self.descriptor.full_name)

    @cached_property
    def path(self) -> str:
        """The HTTP/2 path: ``/tongban.cases.v1.CaseService/AcceptCase``."""
        return f"/{self.service}/{self.descriptor.name}"

    @cached_property
    def service(self) -> str:
        """The full name of the gRPC service."""
        return str(self.descriptor.containing_service.full_name)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The gRPC services under whose names it is called: its own and, where that has it too, the one that everybody knows."""
        own = self.descriptor.containing_service
        known = own.GetOptions().Extensions[options_pb2.service].known_as
        has = known and self.descriptor.name in own.file.pool.FindServiceByName(known).methods_by_name
        return (self.service, known) if has else (self.service,)

    @cached_property
    def access(self) -> options_pb2.Access:
        """Who may call; raises ContractError where the RPC does not say it."""
        options = self.descriptor.GetOptions()
        if not options.Extensions[options_pb2.rpc].HasField("access"):
            raise ContractError(f"{self.name} declares no (tongban.options.v1.rpc).access")
        access = options.Extensions[options_pb2.rpc].access
        if not access.public and not access.permission:
            raise ContractError(f"{self.name} is not public and declares no permission")
        return access

    @cached_property
    def audience(self) -> frozenset[options_pb2.Audience.ValueType]:
        """Where it can be reached from."""
        return frozenset(self.access.audience)

    @cached_property
    def for_regions(self) -> bool:
        """Whether other regions may call it. What they send may be of a newer release, and must get through."""
        return options_pb2.AUDIENCE_REGION in self.audience

    @cached_property
    def for_fronts(self) -> bool:
        """Whether people's and partners' clients may call it."""
        return options_pb2.AUDIENCE_FRONT in self.audience

    @cached_property
    def repeatable(self) -> bool:
        """Whether a second call has no second effect, as the contract says (`idempotency_level`)."""
        return self.descriptor.GetOptions().idempotency_level != descriptor_pb2.MethodOptions.IDEMPOTENCY_UNKNOWN

    @cached_property
    def excludes(self) -> frozenset[str]:
        """The full names of the RPCs whose callers may not call this one on the same thing."""
        package = self.descriptor.containing_service.file.package
        return frozenset(f"{package}.{each}" for each in self.access.excludes)

    @cached_property
    def seconds(self) -> float:
        """How long a call may take, at the server, through the gateway and by default for a client."""
        return float(self.descriptor.GetOptions().Extensions[options_pb2.rpc].timeout_seconds or DEFAULT_SECONDS)

    @cached_property
    def once_by(self) -> tuple[str, ...]:
        """The fields of the request, as paths, by which a repeat of what it changes is known; none where it changes nothing."""
        own = ("request_id",) if "request_id" in self.descriptor.input_type.fields_by_name else ()
        return (*own, *self.descriptor.GetOptions().Extensions[options_pb2.rpc].once_by)

    @cached_property
    def writes(self) -> bool:
        """Whether it is called to change something, and not only to read, be it on record."""
        return bool(self.once_by)

    @cached_property
    def keyed(self) -> bool:
        """Whether a request_id tells a repeat, wherever in the request it stands."""
        return any(path.rpartition(".")[2] == "request_id" for path in self.once_by)

    @cached_property
    def streams(self) -> bool:
        """Whether it streams, in either direction: then its time is counted from message to message."""
        return bool(self.descriptor.client_streaming or self.descriptor.server_streaming)

    @cached_property
    def exchanges(self) -> bool:
        """Whether it streams both ways: each message is answered, in order."""
        return bool(self.descriptor.client_streaming and self.descriptor.server_streaming)

    @cached_property
    def request_type(self) -> type[message.Message]:
        """The class of the request."""
        return message_factory.GetMessageClass(self.descriptor.input_type)

    @cached_property
    def response_type(self) -> type[message.Message]:
        """The class of the response."""
        return message_factory.GetMessageClass(self.descriptor.output_type)


def methods_of(service: descriptor.ServiceDescriptor) -> list[Method]:
    """Returns the RPCs of ``service``; raises ContractError if one lacks its declaration."""
    methods = [Method(method) for method in service.methods]
    for method in methods:
        _ = method.access
    return methods


@cache
def method_of(request: descriptor.Descriptor) -> Method | None:
    """Returns the RPC of a request: no two share one (buf's RPC_REQUEST_RESPONSE_UNIQUE). None for what asks for nothing."""
    methods = (method for service in request.file.services_by_name.values() for method in service.methods)
    return next((Method(method) for method in methods if method.input_type is request), None)
