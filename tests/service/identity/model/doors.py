"""What the model's steps do at the doors of the two regions: clients with their terms and keys, the trust, and its keys."""

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from tests.service.identity.model.held import Channel, Trust
from tests.service.identity.model.places import Places
from tests.service.identity.model.rights import MACHINE
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.town import request_id, trusted
from tongban.identity.v1 import client_service_pb2, region_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

_INBOUND, _OUTBOUND = resources_pb2.TRUST_DIRECTION_INBOUND, resources_pb2.TRUST_DIRECTION_OUTBOUND


def _kinds(who: frozenset[str]) -> "list[options_pb2.ActorKind.ValueType]":
    return [options_pb2.ActorKind.Value(f"ACTOR_KIND_{each}") for each in sorted(who)]


def _right(terms: Channel) -> resources_pb2.AssertionRight:
    return resources_pb2.AssertionRight(actor_kinds=_kinds(terms.who), max_assurance=terms.most)


@dataclass
class Doors(Places):
    """Clients of the first region, with all the keys that they ever had, and the trust between both."""

    channels: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    signers: dict[str, list[Machine]] = field(default_factory=dict)

    async def make_client(self, client_id: str, terms: Channel | None) -> str:
        """Makes a channel with these terms, or a machine without any, and lets it be approved."""
        name, home, channel = f"clients/{client_id}", self.home, terms is not None
        self.signers[name] = [self._signer(client_id)]
        kind = resources_pb2.CLIENT_KIND_CHANNEL if channel else resources_pb2.CLIENT_KIND_SYSTEM
        client = resources_pb2.Client(
            display_name="自助终端",
            kind=kind,
            auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
            jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(self.signers[name][0].key)]),
            assertion_right=_right(terms) if terms else None,
            scopes=[] if channel else sorted(MACHINE),
        )
        create = client_service_pb2.CreateClientRequest(client=client, client_id=client_id, request_id=request_id())
        await home.call(home.clients.CreateClient, create, resources_pb2.Client, await home.admin_token())
        if channel:
            await home.approve(name)
        return name

    def _signer(self, client_id: str) -> Machine:
        # No two keys of a client are called the same, in whichever run they were made.
        return Machine(client_id, new_key(f"{client_id}-{self.next_number()}"), self.home.channel.now)

    async def client_stands(self, name: str, *, stands: bool) -> None:
        """Suspends or resumes a client."""
        home, token = self.home, await self.home.admin_token()
        if stands:
            asked: Any = client_service_pb2.ResumeClientRequest(name=name, request_id=request_id())
            found = await home.call(home.clients.ResumeClient, asked, resources_pb2.Client, token)
            if found.state == resources_pb2.CLIENT_STATE_REQUESTED:
                await home.approve(name)
        else:
            asked = client_service_pb2.SuspendClientRequest(name=name, reason="失窃", request_id=request_id())
            await home.call(home.clients.SuspendClient, asked, resources_pb2.Client, token)

    async def _client(self, name: str, token: str) -> resources_pb2.Client:
        asked = client_service_pb2.GetClientRequest(name=name)
        return await self.home.call(self.home.clients.GetClient, asked, resources_pb2.Client, token)

    async def rotate(self, name: str, overlap: int, *, approved: bool) -> int:
        """Gives a client another key, which of a channel must be approved; returns its number."""
        home, token, signers = self.home, await self.home.admin_token(), self.signers[name]
        signers.append(self._signer(name.removeprefix("clients/")))
        asked = client_service_pb2.RotateClientKeyRequest(
            name=name,
            jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(signers[-1].key)]),
            etag=(await self._client(name, token)).etag,
            request_id=request_id(),
        )
        asked.overlap.FromSeconds(overlap)
        await home.call(home.clients.RotateClientKey, asked, resources_pb2.Client, token)
        if approved and name in self.channels:
            await home.approve(name)
        return len(signers) - 1

    async def change_client(self, name: str, terms: Channel | frozenset[str]) -> None:
        """Gives a channel other terms, or a machine other permissions; more than a channel had must be approved."""
        home, token = self.home, await self.home.admin_token()
        client, path = resources_pb2.Client(name=name), "scopes"
        if isinstance(terms, Channel):
            client.assertion_right.CopyFrom(_right(terms))
            path = "assertion_right"
        else:
            client.scopes.extend(sorted(terms))
        asked = client_service_pb2.UpdateClientRequest(
            client=client,
            update_mask=FieldMask(paths=[path]),
            etag=(await self._client(name, token)).etag,
            request_id=request_id(),
        )
        made = await home.call(home.clients.UpdateClient, asked, resources_pb2.Client, token)
        if made.HasField("pending_terms"):
            await home.approve(name)

    # -- the trust ----------------------------------------------------------------------------------------------------------

    async def trust_stands(self, way: str, *, stands: bool) -> None:
        """Suspends or resumes what goes out of the first region, or what comes in at the second."""
        out = way == "outbound"
        place, other = (self.home, self.away) if out else (self.away, self.home)
        name, verb = f"regions/{other.region.id}", "Resume" if stands else "Suspend"
        for token in await place.administrators() if stands else [await place.admin_token()]:
            asked = getattr(region_service_pb2, f"{verb}RegionRequest")(
                name=name, request_id=request_id(), directions=[_OUTBOUND if out else _INBOUND], reason="演练"
            )
            await place.call(getattr(place.regions, f"{verb}Region"), asked, resources_pb2.Region, token)

    async def trust_anew(self, way: str, terms: Trust) -> None:
        """Ends the trust of a region in the other and begins it anew with these terms one way."""
        place, other = (self.home, self.away) if way == "outbound" else (self.away, self.home)
        asked = region_service_pb2.EndRegionRequest(
            name=f"regions/{other.region.id}", reason="重订", request_id=request_id()
        )
        await place.call(place.regions.EndRegion, asked, resources_pb2.Region, await place.admin_token())
        told = trusted(terms.most, min_assurance=terms.least, actor_kinds=_kinds(terms.who))
        await place.trust(other, **{way: told})

    async def pin(self) -> None:
        """Lets the second region pin the keys that the first one has published."""
        away = self.away
        first, second = await away.administrators()
        name = f"regions/{self.home.region.id}"
        get = region_service_pb2.GetRegionRequest(name=name)
        found = await away.call(away.regions.GetRegion, get, resources_pb2.Region, first)
        asked = region_service_pb2.SetRegionKeysRequest(
            name=name, anchor=self.home.anchor(), etag=found.etag, request_id=request_id()
        )
        waits = await away.call(away.regions.SetRegionKeys, asked, resources_pb2.Region, first)
        approve = region_service_pb2.ApproveRegionKeysRequest(name=name, etag=waits.etag, request_id=request_id())
        await away.call(away.regions.ApproveRegionKeys, approve, resources_pb2.Region, second)
