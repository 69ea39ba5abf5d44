"""A server with the default stages around servicers of the test's own, without any database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from libs.clock import SystemClock
from libs.config import (
    DatabaseConfig,
    DocumentsConfig,
    GrpcConfig,
    IdentityConfig,
    KeysConfig,
    MetricsConfig,
    PublicConfig,
    RedisConfig,
    ServiceConfig,
)
from libs.errors import TongbanError
from libs.process.health import Health
from libs.rpc.client import invoke, neighbour_channel
from libs.rpc.server import ServerBuilder, default_stages
from libs.rpc.status import from_rpc_error
from libs.security.tokens import TokenVerifier
from tests.support.backends import HOST, Backends, free_port
from tests.support.patience import PATIENCE
from tests.support.service import BASE_URL, REGION, Ground
from tests.support.tokens import Issuer
from tongban.identity.v1 import account_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.account_service_pb2_grpc import AccountServiceStub
from tongban.license.v1 import material_service_pb2 as materials

ACCOUNTS = pb.DESCRIPTOR.services_by_name["AccountService"]
MATERIALS = materials.DESCRIPTOR.services_by_name["MaterialService"]
ID = "00000000-0000-7000-8000-000000000001"
PERSON = pb.GetPersonRequest(name=f"persons/{ID}")
FIRM = pb.GetOrganizationRequest(name=f"organizations/{ID}")

Answering = Callable[[Any], Awaitable[Any]]


async def _person(request: pb.GetPersonRequest) -> resources.Person:
    return resources.Person(name=request.name)


@dataclass
class Accounts:
    """An AccountService whose answers the test decides."""

    person: Answering = _person
    organization: Answering = _person

    recorded: bool = True

    async def get_person(self, request: Any, call: Any) -> Any:
        if self.recorded:
            call.own()
        return await self.person(request)

    async def get_organization(self, request: Any, call: Any) -> Any:
        return await self.organization(request)

    async def _unused(self, request: Any, call: Any) -> Any:
        raise AssertionError

    reveal_person = lookup_person = create_person = create_organization = _unused
    lookup_organization = set_legal_representative = check_identities = _unused
    add_document = remove_document = set_contact_points = close_person = close_organization = _unused
    create_person_merge = approve_person_merge = refuse_person_merge = get_person_merge = list_person_merges = _unused
    start_contact_verification = confirm_contact_verification = _unused


async def trusting(_region: str) -> bool:
    """Trusts every region with everything."""
    return False


@dataclass
class Materials:
    """A MaterialService that streams what the test decides."""

    chunks: list[bytes | Exception] = field(default_factory=list)
    received: list[Any] = field(default_factory=list)

    async def upload_material(self, request: AsyncIterator[Any], call: Any) -> Any:
        call.own()
        self.received += [message async for message in request]
        return materials.Material(name=f"materials/{ID}")

    async def download_material(self, request: Any, call: Any) -> Any:
        call.own()
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield materials.DownloadMaterialResponse(chunk=chunk)

    async def get_material(self, request: Any, call: Any) -> Any:
        raise AssertionError

    async def list_materials(self, request: Any, call: Any) -> Any:
        raise AssertionError


@dataclass
class Lab:
    """A server with the default stages around servicers of the test's own, and what is needed to call it."""

    folder: Path
    ground: Ground
    issuer: Issuer
    config: ServiceConfig

    def builder(self, **changes: Any) -> ServerBuilder:
        """The builder, with changes to the configuration of gRPC."""
        config = self.config.model_copy(update={"grpc": self.config.grpc.model_copy(update=changes)})
        return ServerBuilder(config, default_stages(config, self.verifier(), trusting), Health())

    def verifier(self) -> TokenVerifier:
        return TokenVerifier(self.issuer, issuer=BASE_URL, audience=f"//{REGION.id}", clock=SystemClock())

    @asynccontextmanager
    async def serving(self, servicer: Any = None, descriptor: ServiceDescriptor = ACCOUNTS, **changes: Any) -> Any:
        """Serves and yields a channel of the gateway."""
        builder = self.builder(allow={descriptor.full_name: ["gateway", "license"]}, **changes)
        server = await builder.add(descriptor, servicer or Accounts()).build()
        await server.start()
        async with neighbour_channel(f"{HOST}:{self.config.grpc.port}", self.ground.tls("gateway")) as channel:
            yield channel
        await server.stop(None)

    def token(self, kind: str = "PERSON", scope: str = "*", **claims: Any) -> str:
        """A token that may everything, unless said otherwise."""
        return self.issuer.token(f"persons/{ID}", kind, scope, **claims)


async def get_person(channel: grpc.aio.Channel, token: str, timeout: float = PATIENCE) -> resources.Person:
    stub = AccountServiceStub(channel)
    return await invoke(stub.GetPerson, PERSON, resources.Person, to="identity", token=token, timeout=timeout)


async def refused_person(channel: Any, data: bytes, token: str = "", **metadata: str) -> TongbanError:
    headers = [*metadata.items(), *([("authorization", f"Bearer {token}")] if token else [])]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary(f"/{ACCOUNTS.full_name}/GetPerson")(data, metadata=headers, timeout=PATIENCE)
    return from_rpc_error(raised.value, "identity")


def make_lab(lab_folder: Path) -> Lab:
    """Makes a laboratory with the region's certificates, and without any database."""
    ground, nowhere = Ground(Backends("", ""), lab_folder), lab_folder / "nowhere"
    config = ServiceConfig(
        region=REGION,
        tls=ground.tls("identity"),
        grpc=GrpcConfig(host=HOST, port=free_port(), allow={ACCOUNTS.full_name: ["gateway", "license"]}),
        database=DatabaseConfig(dsn_file=nowhere, owner_dsn_file=nowhere),
        redis=RedisConfig(url="redis://127.0.0.1:1/0", event_key_file=nowhere),
        metrics=MetricsConfig(port=free_port()),
        documents=DocumentsConfig(folder=str(nowhere)),
        keys=KeysConfig(folder=nowhere, master_key_file=nowhere),
        public=PublicConfig(base_url=BASE_URL),
        identity=IdentityConfig(address=f"{HOST}:1", issuer=BASE_URL, jwks_url=f"{BASE_URL}/jwks"),
    )
    return Lab(lab_folder, ground, Issuer(BASE_URL, f"//{REGION.id}"), config)
