"""A partner that signs each request, at a region with two replicas: by our client, by JSON, and by nobody else."""

import base64
import uuid
from typing import Any

import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from joserfc.jwk import ECKey

from deploy.local.demo.office import Office
from libs.client import AsyncTongban, PrivateKey
from libs.client.signing import RequestSigner
from libs.errors import TongbanError
from libs.rpc.call import SIGNER
from tests.support.client_keys import public_jwk
from tests.support.regions import Regions
from tongban.identity.v1 import client_service_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
REQUIRED = resources_pb2.SIGNED_REQUESTS_REQUIRED
GET = "/tongban.identity.v1.ClientService/GetClient"


async def _partner(office: Office) -> tuple[str, ECKey]:
    """A partner that must sign."""
    key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    client = resources_pb2.Client(
        display_name="接入方",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["identity.clients.get"],
        signed_requests=REQUIRED,
    )
    create = client_service_pb2.CreateClientRequest(
        client=client, client_id=f"s{uuid.uuid4().hex[:8]}", request_id=str(uuid.uuid4())
    )
    made = await office.gateway.call(None, create, resources_pb2.Client, await office.admin_token())
    return made.name, key


def _region(office: Office, name: str, key: ECKey, *, signs: bool) -> AsyncTongban:
    return AsyncTongban(office.gateway.url, PrivateKey(name.removeprefix("clients/"), key, signs=signs))


def _why(answer: httpx.Response) -> str:
    return "OK" if answer.is_success else str(answer.json()["details"][0]["reason"])


def _of_web(answer: httpx.Response) -> str:
    """The reason of an answer to gRPC-Web, in headers or in the trailers of its body."""
    words = (
        answer.headers.get("grpc-status-details-bin")
        or answer.content.partition(b"grpc-status-details-bin:")[2].split(b"\r")[0].decode()
    )
    told = status_pb2.Status.FromString(base64.b64decode(words + "=" * (-len(words) % 4)))
    info = error_details_pb2.ErrorInfo()
    assert any(each.Unpack(info) for each in told.details)
    return str(info.reason)


async def test_our_client_signs_and_nobody_else_is_let_in(regions: Regions) -> None:
    office = regions.handling
    name, key = await _partner(office)
    signing, silent = _region(office, name, key, signs=True), _region(office, name, key, signs=False)
    for _ in range(4):  # on either replica
        assert (await signing.identity.get_client(name=name)).signed_requests == REQUIRED
    with pytest.raises(TongbanError) as refused:
        await silent.identity.get_client(name=name)
    assert refused.value.reason == "SIGNATURE_REQUIRED"
    token = await silent.token()
    other = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    thief = _region(office, name, other, signs=True).as_bearer(token)
    with pytest.raises(TongbanError) as refused:
        await thief.identity.get_client(name=name)
    assert (refused.value.reason, refused.value.metadata) == ("SIGNATURE_INVALID", {"rule": "signature"})
    for each in (signing, silent):
        await each.caller.connection.close()


async def test_json_is_signed_once_each(regions: Regions) -> None:
    office, http = regions.handling, regions.handling.gateway.http
    name, key = await _partner(office)
    region = _region(office, name, key, signs=True)
    bearer = {"authorization": f"Bearer {await region.token()}"}
    signer, url = RequestSigner(key), f"{office.gateway.url}/v1/{name}"
    headers = bearer | signer.headers("GET", url, bearer)
    assert _why(await http.get(f"/v1/{name}", headers=bearer)) == "SIGNATURE_REQUIRED"
    assert (
        _why(await http.get(f"/v1/{name}", headers={**bearer, SIGNER: name.removeprefix("clients/")}))
        == "SIGNATURE_REQUIRED"
    )
    assert _why(await http.get(f"/v1/{name}", headers=headers)) == "OK"
    for _ in range(4):  # on either replica
        assert _why(await http.get(f"/v1/{name}", headers=headers)) == "SIGNATURE_REPLAYED"
    body = b'{"qrContent": "x"}'
    posted = bearer | {"content-type": "application/json"}
    posted |= RequestSigner(key, "sm3").headers("POST", f"{office.gateway.url}/v1/licenses:verify", posted, body)
    changed = await http.post("/v1/licenses:verify", headers=posted, content=b'{"qrContent": "y"}')
    assert (_why(changed), changed.json()["details"][0]["metadata"]) == ("SIGNATURE_INVALID", {"rule": "digest"})
    whole = await http.post("/v1/licenses:verify", headers=posted, content=body)
    assert _why(whole) not in ("SIGNATURE_INVALID", "SIGNATURE_REQUIRED", "SIGNATURE_REPLAYED")
    await region.caller.connection.close()


async def test_no_other_way_leads_past(regions: Regions) -> None:
    office, http = regions.handling, regions.handling.gateway.http
    name, key = await _partner(office)
    region = _region(office, name, key, signs=True)
    bearer = {"authorization": f"Bearer {await region.token()}"}
    message = client_service_pb2.GetClientRequest(name=name).SerializeToString()
    frame = b"\0" + len(message).to_bytes(4, "big") + message
    web = bearer | {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    assert _of_web(await http.post(GET, headers=web, content=frame)) == "SIGNATURE_REQUIRED"
    signed = web | RequestSigner(key).headers("POST", f"{office.gateway.url}{GET}", web, frame)
    assert b"grpc-status:0" in (await http.post(GET, headers=signed, content=frame)).content
    content = f"/content/identity/uploads/{uuid.uuid4()}"
    assert _why(await http.get(content, headers=bearer)) == "SIGNATURE_REQUIRED"
    at_content = RequestSigner(key).headers("GET", f"{office.gateway.url}{content}", bearer)
    assert _why(await http.get(content, headers=bearer | at_content)) == "PERMISSION_MISSING"
    # Another spelling of the scheme, and another token beside it.
    small: dict[str, Any] = {"authorization": bearer["authorization"].replace("Bearer", "bearer")}
    assert _why(await http.get(f"/v1/{name}", headers=small)) == "SIGNATURE_REQUIRED"
    free = {"authorization": f"Bearer {await office.admin_token()}"}
    two = [*free.items(), *bearer.items()]
    assert _why(await http.get(f"/v1/{name}", headers=two)) in ("TOKEN_INVALID", "SIGNATURE_REQUIRED")
    inside = await http.get("/internal/signatures/v1/x", headers=bearer)
    assert (inside.status_code, _why(inside)) == (404, "ROUTE_NOT_FOUND")
    await region.caller.connection.close()
