"""What the outside sees of a region: its documents, JSON and gRPC on one port, and typed refusals that change nothing."""

import json
import uuid
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_reflection.v1alpha import reflection_pb2
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import extract_compact
from openapi_spec_validator import validate

from deploy.local.demo.gateway import Gateway
from deploy.local.demo.office import Office
from deploy.local.regions import SERVICES
from libs.clock import SystemClock
from libs.crypto.keystore import KeyStore, load_master_key
from libs.crypto.tongsuo import TongsuoProvider
from libs.ids.synthetic import SyntheticPopulation
from libs.rpc import status
from services.gateway.contracts import read_image, services
from tests.support.patience import PATIENCE
from tests.support.regions import Regions, rows_by_table, target_of
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import account_service_pb2, resources_pb2
from tongban.license.v1 import verification_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")

_VERIFY = "/tongban.license.v1.VerificationService/VerifyLicense"
_UNKNOWN_IDENTIFIER = "1.2.156.3005.2.11100000000013127Y001.11341500MB0000000A.0000000000000001.001.X"
_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def _reason(body: dict[str, Any]) -> str:
    return next((str(d["reason"]) for d in body.get("details", ()) if d["@type"] == _INFO), "")


def _reason_of(error: grpc.aio.AioRpcError) -> str:
    return status.from_rpc_error(error, "the gateway").reason


async def _raw(gateway: Gateway, path: str, body: bytes, token: str = "") -> bytes:
    """Calls an RPC with bytes as they are."""
    call: Any = gateway.channel.unary_unary(path)
    metadata = [("authorization", f"Bearer {token}")] if token else []
    answer: bytes = await call(body, timeout=PATIENCE, metadata=metadata)
    return answer


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# ---- documents ----


async def test_all_services_serve(regions: Regions) -> None:
    for office in (regions.home, regions.handling):
        body = await office.gateway.get("/healthz")
        assert body["status"] == "SERVING"
        of_replicas = {f"{name}-{number}" for name in SERVICES for number in (1, 2)}
        wanted = set(SERVICES) | (of_replicas if office is regions.handling else set())
        assert set(body["services"]) == wanted
        assert set(body["services"].values()) == {"SERVING"}
        assert body["region"] == office.gateway.id


async def test_the_openapi_document_is_valid_and_whole(regions: Regions) -> None:
    document = await regions.home.gateway.get("/openapi.json")
    validate(document)
    assert document["openapi"].startswith("3.1")
    named = {
        operation["x-grpc-method"].replace("/", ".")
        for path in document["paths"].values()
        for verb, operation in path.items()
        if verb in {"get", "post", "put", "patch", "delete"}
    }
    public = {f"{s.full_name}.{rpc.name}" for s in services(read_image()) for rpc in s.public_rpcs if rpc.http}
    assert named == public


async def test_the_documentation_names_every_service(regions: Regions) -> None:
    answer = await regions.home.gateway.http.get("/docs")
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    for service in services(read_image()):
        if service.public_rpcs:
            assert service.full_name.rpartition(".")[2] in answer.text


async def test_discovery_and_keys(regions: Regions) -> None:
    gateway = regions.home.gateway
    found = await gateway.get("/.well-known/openid-configuration")
    assert found["issuer"] == gateway.url
    assert found["token_endpoint"] == f"{gateway.url}/oauth/token"
    keys = (await gateway.get("/.well-known/jwks.json"))["keys"]
    assert keys
    for key in keys:
        assert (key["kty"], key["crv"]) == ("EC", "P-256")
        assert "d" not in key, "a private key went out"


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_what_is_public(regions: Regions, version: str) -> None:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    call: Any = regions.home.gateway.channel.stream_stream(
        path,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    listed = call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=PATIENCE)
    answer = await anext(aiter(listed))
    names = {service.name for service in answer.list_services_response.service}
    assert {s.full_name for s in services(read_image()) if s.public_rpcs} <= names


# ---- JSON and gRPC ----


def _organization(office: Office, seed: str) -> resources_pb2.Organization:
    firm = SyntheticPopulation(f"edge {seed}", province=office.gateway.code[:2]).firm()
    return resources_pb2.Organization(display_name=firm.name, uscc=firm.uscc, kind=party_pb2.PARTY_KIND_ENTERPRISE)


async def _create(office: Office, seed: str) -> resources_pb2.Organization:
    request = account_service_pb2.CreateOrganizationRequest(
        organization=_organization(office, seed), request_id=str(uuid.uuid4())
    )
    token = await office.token_of("receiving")
    return await office.gateway.using(token).call(request, resources_pb2.Organization)


async def test_json_and_grpc_tell_the_same(regions: Regions) -> None:
    office = regions.home
    made = await _create(office, "both")
    token = await office.token_of("receiving")
    body = await office.gateway.get(f"/v1/{made.name}", token)
    assert (body["name"], body["displayName"], body["etag"]) == (made.name, made.display_name, made.etag)
    request = account_service_pb2.GetOrganizationRequest(name=made.name)
    assert await office.gateway.using(token).call(request, resources_pb2.Organization) == made


async def test_what_is_not_there_is_a_typed_404(regions: Regions) -> None:
    http, token = regions.home.gateway.http, await regions.home.token_of("receiving")
    nowhere = await http.get("/v1/nothing/here")
    assert (nowhere.status_code, _reason(nowhere.json())) == (404, "ROUTE_NOT_FOUND")
    nobody = await http.get(f"/v1/organizations/{uuid.uuid4()}", headers=_bearer(token))
    assert (nobody.status_code, _reason(nobody.json())) == (404, "RESOURCE_NOT_FOUND")
    assert any(d["@type"].endswith("LocalizedMessage") and d["message"] for d in nobody.json()["details"])


async def test_no_internal_rpc_can_be_reached(regions: Regions) -> None:
    token = await regions.home.admin_token()
    internal = [rpc.path for service in services(read_image()) for rpc in service.rpcs if rpc.internal]
    assert internal
    for path in internal:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _raw(regions.home.gateway, path, b"", token)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND, path


# ---- bad input ----


@pytest.fixture
async def unchanged(regions: Regions) -> Any:
    """Fails the test if any table of the region has other rows afterwards."""
    before = await rows_by_table(regions.state, regions.home.gateway.id)
    yield
    assert await rows_by_table(regions.state, regions.home.gateway.id) == before


async def _post(gateway: Gateway, path: str, content: bytes, token: str = "") -> tuple[int, str]:
    headers = {"content-type": "application/json"} | (_bearer(token) if token else {})
    answer = await gateway.http.post(path, content=content, headers=headers)
    return answer.status_code, _reason(answer.json())


@pytest.mark.usefixtures("unchanged")
async def test_an_oversize_body_is_typed(regions: Regions) -> None:
    body = json.dumps({"qrContent": "x" * (7 * 1024 * 1024)}).encode()
    assert await _post(regions.home.gateway, "/v1/licenses:verify", body) == (413, "MESSAGE_TOO_LARGE")
    message = verification_service_pb2.VerifyLicenseRequest(content=b"x" * (5 * 1024 * 1024)).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _raw(regions.home.gateway, _VERIFY, message)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert _reason_of(refused.value) == "MESSAGE_TOO_LARGE"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "body",
    [
        b'{"qrContent": ',
        b'{"qrContent": "\xff\xfe"}',
        b'{"qrContent": 7}',
        b'{"nonsense": "x"}',
        b"[]",
        b'{"qrContent": "x", "identifier": "' + _UNKNOWN_IDENTIFIER.encode() + b'"}',
    ],
    ids=["broken JSON", "broken UTF-8", "wrong type", "unknown field", "no object", "two of one"],
)
async def test_bad_json_is_typed(regions: Regions, body: bytes) -> None:
    assert await _post(regions.home.gateway, "/v1/licenses:verify", body) == (400, "FIELD_INVALID")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "body", [b"\x12\x02\xff\xfe", b"\x12\xff\x01x", b"\xff\xff\xff"], ids=["broken UTF-8", "cut off", "no protobuf"]
)
async def test_bad_protobuf_is_typed(regions: Regions, body: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _raw(regions.home.gateway, _VERIFY, body)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert _reason_of(refused.value) == "FIELD_INVALID"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("kind", ["PARTY_KIND_NONSENSE", 99, 0])
async def test_an_unknown_enum_value_is_typed(regions: Regions, kind: object) -> None:
    firm = _organization(regions.home, "enum")
    organization = {"displayName": firm.display_name, "uscc": firm.uscc, "kind": kind}
    body = json.dumps({"organization": organization, "requestId": str(uuid.uuid4())}).encode()
    token = await regions.home.token_of("receiving")
    assert await _post(regions.home.gateway, "/v1/organizations", body, token) == (400, "FIELD_INVALID")


# ---- tokens ----


def _token_key(state: Path, region: str, token: str) -> ECKey:
    """The key that a token was signed with: a test holds it to make tokens that the region would not."""
    master = load_master_key(state / region / "secrets" / "identity.master-key")
    store = KeyStore(state / region / "keys" / "identity", master, TongsuoProvider(), SystemClock())
    keys = [ECKey.import_key(store.load("token", version).secret) for version in store.versions("token")]
    kid = extract_compact(token.encode()).protected["kid"]
    return next(key for key in keys if key.thumbprint() == kid)


def _resigned(token: str, key: ECKey, **claims: Any) -> str:
    known = extract_compact(token.encode())
    content = json.loads(known.payload) | claims
    return jwt.encode(known.protected, content, key, algorithms=["ES256"])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("fault", ["expired", "other key", "other audience", "nonsense"])
async def test_a_bad_token_is_refused_in_json_and_grpc(regions: Regions, fault: str) -> None:
    office = regions.home
    good = await office.token_of("receiving")
    key = _token_key(regions.state, office.gateway.id, good)
    bad = {
        "expired": _resigned(good, key, iat=1_700_000_000, exp=1_700_000_600),
        "other key": _resigned(good, ECKey.generate_key("P-256")),
        "other audience": _resigned(good, key, aud="//110000"),
        "nonsense": "a.b.c",
    }[fault]
    answer = await office.gateway.http.get(f"/v1/organizations/{uuid.uuid4()}", headers=_bearer(bad))
    assert (answer.status_code, _reason(answer.json())) == (401, "TOKEN_INVALID")
    path = "/tongban.identity.v1.AccountService/CreateOrganization"
    request = account_service_pb2.CreateOrganizationRequest(
        organization=_organization(office, fault), request_id=str(uuid.uuid4())
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _raw(office.gateway, path, request.SerializeToString(), bad)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    # The same claims under the right key are taken: it is the fault that was refused.
    same = await office.gateway.http.get(f"/v1/organizations/{uuid.uuid4()}", headers=_bearer(_resigned(good, key)))
    assert same.status_code == 404


async def test_a_token_of_another_region_is_refused(regions: Regions) -> None:
    token = await regions.home.token_of("receiving")
    gateway = regions.handling.gateway
    answer = await gateway.http.get(f"/v1/organizations/{uuid.uuid4()}", headers=_bearer(token))
    assert (answer.status_code, _reason(answer.json())) == (401, "TOKEN_INVALID")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _raw(gateway, "/tongban.identity.v1.AccountService/GetOrganization", b"", token)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_no_token_no_answer(regions: Regions) -> None:
    answer = await regions.home.gateway.http.get(f"/v1/organizations/{uuid.uuid4()}")
    assert (answer.status_code, _reason(answer.json())) == (401, "TOKEN_MISSING")


# ---- repeats ----


async def test_a_json_stream_that_breaks_says_why_behind_its_answers(regions: Regions) -> None:
    """A question that breaks a rule of the contract ends the stream: the reader is told, not left with fewer answers."""
    token = await regions.home.token_of("receiving")
    asked = [{"question": {"identifier": _UNKNOWN_IDENTIFIER}}, {"question": {"digest": "sm3:x"}}]
    http = regions.home.gateway.http
    answer = await http.post("/v1/licenses:verifyLicenses", json=asked, headers=_bearer(token))
    first, last = answer.json()
    assert (answer.status_code, list(first)) == (200, ["error"]), "the identifier's check character does not hold"
    assert _reason(last["streamError"]) == "FIELD_INVALID"
    refused = await http.post("/v1/licenses:verifyLicenses", json=asked[1:], headers=_bearer(token))
    assert (refused.status_code, _reason(refused.json())) == (400, "FIELD_INVALID")


async def test_a_request_id_answers_the_same_once_more_and_takes_no_other_body(regions: Regions) -> None:
    office = regions.home
    firm, key = _organization(office, "repeat"), str(uuid.uuid4())
    token = await office.token_of("receiving")
    kind = "PARTY_KIND_ENTERPRISE"
    organization = {"displayName": firm.display_name, "uscc": firm.uscc, "kind": kind}
    body = {"organization": organization, "requestId": key}
    first = await office.gateway.post("/v1/organizations", body, token)
    before = await rows_by_table(regions.state, office.gateway.id)
    assert await office.gateway.post("/v1/organizations", body, token) == first
    other = {"organization": organization | {"displayName": "示例另一家公司"}, "requestId": key}
    answer = await office.gateway.http.post("/v1/organizations", json=other, headers=_bearer(token))
    assert _reason(answer.json()) == "REQUEST_ID_REUSED"
    assert answer.status_code == 400
    assert await rows_by_table(regions.state, office.gateway.id) == before


async def test_the_address_takes_both_protocols(regions: Regions) -> None:
    target = target_of(regions.home)
    async with httpx.AsyncClient(base_url=f"http://{target}", trust_env=False) as client:
        assert (await client.get("/v1/audit/identity/auditHead")).status_code == 200
    async with grpc.aio.insecure_channel(target) as channel:
        call: Any = channel.unary_unary("/tongban.audit.v1.AuditService/GetAuditHead")
        assert await call(b"\x0a\x12identity/auditHead", timeout=PATIENCE)
