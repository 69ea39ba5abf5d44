"""Partners who come with a certificate, through the real Envoy: bound tokens, stolen ones, forged headers, and handshakes that fail (RFC 8705)."""

import asyncio
import base64
import hashlib
import os
import re
import ssl
import sys
import uuid
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio

from deploy.local.demo.office import Office
from libs.client import AsyncTongban, ByCertificate, OwnCertificate
from libs.errors import TongbanError, Unauthenticated, Unavailable
from services.gateway.contracts import client_paths
from tests.support.partner_certificates import DAY, FOR_SERVERS, REFUSED, HeldCertificate, PartnersDoor, Signer
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tests.support.sandbox_region import ROOT
from tongban.identity.v1 import client_service_pb2, client_service_pb2_grpc, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
GUIDE = ROOT / "docs" / "guides" / "certificates.md"
MISSING, OTHER = ("CERTIFICATE_NOT_PRESENTED", "missing"), ("CERTIFICATE_NOT_PRESENTED", "other")
Open = Callable[[HeldCertificate], AsyncTongban]


@dataclass(frozen=True)
class Partner:
    """A partner's program.

    Attributes:
        held: its certificate.
        client: as the region knows it.
        region: what it calls by.
        office: the region's.
    """

    held: HeldCertificate
    client: resources_pb2.Client
    region: AsyncTongban
    office: Office

    @property
    def id(self) -> str:
        """The client_id."""
        return self.client.name.removeprefix("clients/")

    @property
    def path(self) -> str:
        """Where it reads itself by JSON."""
        return f"/v1/{self.client.name}"

    async def bearer(self, **more: str) -> dict[str, str]:
        """The headers by which it brings its token, and whoever copied that."""
        return {"authorization": f"Bearer {await self.region.token()}", **more}


async def _registered(office: Office, held: HeldCertificate, **fields: Any) -> resources_pb2.Client:
    client = resources_pb2.Client(
        display_name="合作方",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_TLS_CLIENT_AUTH,
        certificates=[resources_pb2.ClientCertificate(certificate=held.der)],
        scopes=["identity.clients.*"],
        **fields,
    )
    name = f"m{uuid.uuid4().hex[:8]}"
    asked = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=str(uuid.uuid4()))
    return await office.gateway.call(None, asked, resources_pb2.Client, await office.admin_token())


def _opened(door: PartnersDoor, held: HeldCertificate, client_id: str) -> AsyncTongban:
    own = OwnCertificate(*held.files(door.folder, f"own-{client_id}"))
    return AsyncTongban(door.url, ByCertificate(client_id), roots=door.root.pem, certificate=own)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def partner(regions: Regions, partners_door: PartnersDoor) -> AsyncIterator[Partner]:
    """A partner that is registered with a certificate."""
    office, held = regions.handling, partners_door.signer.sign("erp")
    client = await _registered(office, held, sender_constraint=resources_pb2.SENDER_CONSTRAINT_MTLS)
    async with _opened(partners_door, held, client.name.removeprefix("clients/")) as region:
        yield Partner(held, client, region, office)


def _why(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 401, answer.text
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    detail = answer.json()["details"][0]
    return detail["reason"], detail["metadata"]["rule"]


async def _why_not(call: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(Unauthenticated) as raised:
        await call
    return raised.value.reason, raised.value.metadata["rule"]


async def _read(target: AsyncTongban, partner: Partner) -> str:
    found = await target.as_bearer(await partner.region.token()).identity.get_client(name=partner.client.name)
    return found.name


async def test_our_client_calls_by_a_token_bound_to_its_certificate(
    partner: Partner, partners_door: PartnersDoor
) -> None:
    """By gRPC, by JSON, at uploads; by two replicas of the service."""
    token = await partner.region.token()
    payload = token.split(".")[1]
    said = httpx.Response(200, content=base64.urlsafe_b64decode(f"{payload}{'=' * (-len(payload) % 4)}")).json()
    digest = hashlib.sha256(partner.held.der).digest()
    assert said["cnf"] == {"x5t#S256": base64.urlsafe_b64encode(digest).decode().rstrip("=")}
    for _ in range(4):
        assert (await partner.region.identity.get_client(name=partner.client.name)).name == partner.client.name
    async with partners_door.client(partner.held) as http:
        for _ in range(4):
            answer = await http.get(partner.path, headers=await partner.bearer())
            assert (answer.status_code, answer.json()["name"]) == (200, partner.client.name), answer.text
        form = {"token": token, "client_id": partner.id}
        told = (await http.post("/oauth/introspect", data=form)).json()
        assert (told["active"], told["cnf"]) == (True, said["cnf"])
        # The bytes of uploads take a way of their own: nobody's upload is found there, by who may ask.
        nowhere = f"/content/cases/uploads/{uuid.uuid4()}"
        assert (await http.get(nowhere, headers=await partner.bearer())).status_code in (403, 404)
        assert (
            _why_at_content(await partner.office.gateway.http.get(nowhere, headers=await partner.bearer())) == MISSING
        )


def _why_at_content(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 401, answer.text
    detail = answer.json()["details"][0]
    return detail["reason"], detail["metadata"]["rule"]


async def test_who_copied_the_token_can_not_use_it(partner: Partner, partners_door: PartnersDoor) -> None:
    plain, thief = partner.office.gateway, partners_door.signer.sign("thief")
    assert _why(await plain.http.get(partner.path, headers=await partner.bearer())) == MISSING
    assert await _why_not(_read(plain.region, partner)) == MISSING
    async with partners_door.client() as nobody, partners_door.client(thief) as other:
        assert _why(await nobody.get(partner.path, headers=await partner.bearer())) == MISSING
        assert _why(await other.get(partner.path, headers=await partner.bearer())) == OTHER
    async with _opened(partners_door, thief, "thief") as opened:
        assert await _why_not(_read(opened, partner)) == OTHER


async def test_no_header_makes_a_certificate(partner: Partner, partners_door: PartnersDoor) -> None:
    """At both listeners, with each spelling; at the token endpoint it would be a credential that everybody can read."""
    form, thief = {"grant_type": "client_credentials", "client_id": partner.id}, partners_door.signer.sign("thief")
    digest = f"Hash={partner.held.digest}"
    plain = partner.office.gateway.http
    async with partners_door.client() as nobody, partners_door.client(thief) as other:
        for name in ("x-forwarded-client-cert", "X-Forwarded-Client-Cert"):
            forged = await partner.bearer(**{name: digest})
            assert _why(await plain.get(partner.path, headers=forged)) == MISSING
            assert _why(await nobody.get(partner.path, headers=forged)) == MISSING
            assert _why(await other.get(partner.path, headers=forged)) == OTHER
            for client in (plain, nobody, other):
                answer = await client.post("/oauth/token", data=form, headers={name: digest})
                assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    stub = client_service_pb2_grpc.ClientServiceStub(partner.office.gateway.channel)
    metadata = [("authorization", f"Bearer {await partner.region.token()}"), ("x-forwarded-client-cert", digest)]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.GetClient(
            client_service_pb2.GetClientRequest(name=partner.client.name), metadata=metadata, timeout=PATIENCE
        )
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_nor_does_one_straight_at_the_services_ports(
    regions: Regions, partner: Partner, partners_door: PartnersDoor
) -> None:
    ports = regions.cluster.snapshot.process(partner.office.gateway.id, "identity").ports
    form = {"grant_type": "client_credentials", "client_id": partner.id}
    told = partner.held.told
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ports['http']}", trust_env=False) as plain:
        answer = await plain.post("/oauth/token", data=form, headers=told)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        answer = await plain.get("/oauth/userinfo", headers=await partner.bearer(**told))
        assert (answer.status_code, answer.json()["reason"]) == (401, "CERTIFICATE_NOT_PRESENTED")
    pki = regions.state / partner.office.gateway.id / "pki"
    # The door of the gateway: not for partners, and not for another service of the region.
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    neighbour = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    neighbour.load_cert_chain(pki / "cases.pem", pki / "cases.key")
    foreign = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    foreign.load_cert_chain(*partner.held.files(partners_door.folder, "straight"))
    for each in (context, neighbour, foreign):
        url = f"https://127.0.0.1:{ports['mtls']}"
        async with httpx.AsyncClient(base_url=url, verify=each, trust_env=False) as opened:
            with pytest.raises(REFUSED):
                await opened.post("/oauth/token", data=form, headers=told)
    # gRPC: who has no certificate of the region's own does not come in at all.
    certificate, key = partner.held.files(partners_door.folder, "straight")
    shown = grpc.ssl_channel_credentials((pki / "ca.pem").read_bytes(), key.read_bytes(), certificate.read_bytes())
    async with grpc.aio.secure_channel(f"127.0.0.1:{ports['grpc']}", shown) as channel:
        stub = client_service_pb2_grpc.ClientServiceStub(channel)
        metadata = [*(await partner.bearer(**told)).items()]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.GetClient(
                client_service_pb2.GetClientRequest(name=partner.client.name), metadata=metadata, timeout=PATIENCE
            )
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_certificates_that_are_no_good_are_refused_in_the_handshake(
    partner: Partner, partners_door: PartnersDoor
) -> None:
    now, signer = datetime.now(UTC), partners_door.signer
    wrong = (
        signer.sign("erp", start=now - 2 * DAY, end=now - DAY),
        signer.sign("erp", start=now + DAY),
        signer.sign("erp", use=FOR_SERVERS),
        Signer("partners").sign("erp"),
    )
    for held in wrong:
        async with partners_door.client(held) as client:
            with pytest.raises(REFUSED):
                await client.get("/healthz")
        # Our own client says that it got no answer, and not that something of its own broke.
        async with _opened(partners_door, held, partner.id) as region:
            with pytest.raises(Unavailable):
                await region.token()
    # One that is good, and of nobody who is registered, comes in and is nobody.
    async with _opened(partners_door, signer.sign("nobody"), partner.id) as region:
        with pytest.raises(TongbanError, match="TOKEN_INVALID"):
            await region.token()


async def test_a_new_certificate_goes_on_where_the_old_one_ends(partner: Partner, partners_door: PartnersDoor) -> None:
    office, old, new = partner.office, partners_door.signer.sign("erp"), partners_door.signer.sign("erp")
    client = await _registered(office, old)
    name = client.name.removeprefix("clients/")
    async with _opened(partners_door, old, name) as before:
        asked = client_service_pb2.RotateClientKeyRequest(
            name=client.name,
            certificates=[resources_pb2.ClientCertificate(certificate=new.der)],
            etag=client.etag,
            request_id=str(uuid.uuid4()),
        )
        asked.overlap.FromSeconds(3_600)
        changed = await before.call(asked, resources_pb2.Client)
        assert (await before.identity.get_client(name=client.name)).etag == changed.etag
    async with _opened(partners_door, new, name) as after, _opened(partners_door, old, name) as still:
        assert (await after.identity.get_client(name=client.name)).certificates == changed.certificates
        assert await still.token()


async def test_the_region_tells_where_it_takes_certificates(partner: Partner, partners_door: PartnersDoor) -> None:
    found = await partner.office.gateway.get("/.well-known/oauth-authorization-server")
    assert found["mtls_endpoint_aliases"]["token_endpoint"] == f"{partners_door.url}/oauth/token"
    assert found["tls_client_certificate_bound_access_tokens"] is True
    async with partners_door.client() as nobody:
        assert (await nobody.get("/.well-known/oauth-authorization-server")).json() == found


async def test_a_region_without_such_a_listener_offers_nothing_of_it(regions: Regions) -> None:
    found = await regions.home.gateway.get("/.well-known/oauth-authorization-server")
    assert "mtls_endpoint_aliases" not in found
    assert "tls_client_auth" not in found["token_endpoint_auth_methods_supported"]


async def _openssl(door: PartnersDoor, *arguments: str | Path) -> tuple[int, str]:
    """What openssl's own client says of the listener."""
    target = ("-connect", door.url.removeprefix("https://"), "-CAfile", str(door.folder / "root.pem"))
    command = ("openssl", "s_client", *target, "-verify_return_error", *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    async with asyncio.timeout(PATIENCE):
        told, _ = await process.communicate(b"GET /healthz HTTP/1.1\r\nHost: partners\r\nConnection: close\r\n\r\n")
    assert process.returncode is not None
    return process.returncode, told.decode(errors="replace")


async def test_the_guide_goes_as_it_stands(partner: Partner, partners_door: PartnersDoor, tmp_path: Path) -> None:
    """Its lines of curl, and of Python by the client's own wheel."""
    page = GUIDE.read_text(encoding="utf-8")
    shell, python = (
        re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0] for kind in ("sh", "python")
    )
    partner.held.files(tmp_path, "own")
    known = {"SSL_CERT_FILE": str(partners_door.folder / "root.pem"), "PATH": os.environ["PATH"]}
    known |= {"CURL_CA_BUNDLE": known["SSL_CERT_FILE"], "PYTHONPATH": str(client_paths()[0])}
    asks, calls = shell.splitlines()
    assert "-H " in calls
    calls = calls.partition("/v1/licenses:verify")[0] + partner.path + ' -H "Authorization: Bearer $TOKEN"'
    script = f"TOKEN=$({asks} | {sys.executable} -c 'import json, sys; print(json.load(sys.stdin)[\"access_token\"])')\n{calls}\n"
    told = await _said_by(("bash", "-euo", "pipefail", "-c", _here(script, partner, partners_door)), tmp_path, known)
    assert f'"name":"{partner.client.name}"' in told.replace(" ", ""), told
    head, _, _ = python.partition("    ...")
    body = f'    print(region.identity.get_client(name="{partner.client.name}").name)\n'
    whole = _here(f"from pathlib import Path\n{head}{body}", partner, partners_door)
    whole = whole.replace("certificate=own)", f"certificate=own, roots=Path({known['SSL_CERT_FILE']!r}).read_bytes())")
    assert (await _said_by((sys.executable, "-c", whole), tmp_path, known)).strip() == partner.client.name


def _here(text: str, partner: Partner, door: PartnersDoor) -> str:
    """What the guide says, of this region and this partner."""
    found = text.replace("https://partners.zwfw.example.gov.cn:8443", door.url)
    return found.replace("client_id=erp", f"client_id={partner.id}").replace('"erp"', f'"{partner.id}"')


async def _said_by(command: tuple[str, ...], folder: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(PATIENCE):
        told, why = await process.communicate()
    assert process.returncode == 0, why.decode(errors="replace")
    return told.decode()


async def test_openssl_says_so_too(partner: Partner, partners_door: PartnersDoor) -> None:
    """TLS 1.3 and nothing older; the authorities whose certificates are asked for; and no session that could be resumed without one."""
    certificate, key = partner.held.files(partners_door.folder, "openssl")
    code, told = await _openssl(partners_door, "-tls1_3", "-ign_eof", "-cert", certificate, "-key", key)
    assert code == 0, told
    assert "HTTP/1.1 200 OK" in told
    assert "Acceptable client certificate CA names\nCN = partners\n" in told
    assert "New, TLSv1.3, Cipher is TLS_" in told
    assert "New Session Ticket" not in told
    for older in ("-tls1_2", "-tls1_1"):
        code, told = await _openssl(partners_door, older, "-ign_eof", "-cert", certificate, "-key", key)
        assert code != 0, told
        assert "Cipher is (NONE)" in told
    foreign, its_key = Signer("partners").sign("erp").files(partners_door.folder, "foreign")
    _, told = await _openssl(partners_door, "-tls1_3", "-ign_eof", "-cert", foreign, "-key", its_key)
    assert "HTTP/1.1 200 OK" not in told
    assert "alert" in told
