"""What the gateway tells of clients' certificates: the digest of one that was shown at the listener for partners, and never a caller's word."""

import asyncio
import contextlib
import hashlib
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from services.gateway import envoy_config
from tests.support.edge import HEAD, Edge, running_edge, token_of
from tests.support.partner_certificates import DAY, FOR_SERVERS, REFUSED, HeldCertificate, PartnersDoor, Signer
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tongban.audit.v1 import audit_service_pb2

PATH = "/v1/audit/identity/auditHead"
HEADER = "x-forwarded-client-cert"
FORGED = f"Hash={'0' * 64}"
SPELLINGS = (HEADER, "X-Forwarded-Client-Cert", "X-FORWARDED-CLIENT-CERT")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> PartnersDoor:
    return PartnersDoor.made(tmp_path_factory.mktemp("door"), free_port())


@pytest.fixture(scope="module")
def held(door: PartnersDoor) -> HeldCertificate:
    return door.signer.sign("erp")


@pytest.fixture(scope="module")
def revoked(door: PartnersDoor) -> HeldCertificate:
    return door.signer.sign("revoked")


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory, door: PartnersDoor, revoked: HeldCertificate) -> Iterator[Edge]:
    """An edge with a listener for partners."""
    crl = door.folder / "crl.pem"
    crl.write_bytes(door.signer.revoking(revoked))
    section = {"port": door.port, **door.files, "crl": str(crl), "identity": f"127.0.0.1:{free_port()}"}
    with running_edge(tmp_path_factory.mktemp("edge"), mtls=section) as running:
        yield running


def _told(edge: Edge) -> str | None:
    """What reached the service of a certificate."""
    return edge.seen.metadata.pop().get(HEADER)


def _bearer(edge: Edge, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token_of(edge.url)}", **more}


async def _asked(edge: Edge, door: PartnersDoor, held: HeldCertificate | None, **more: str) -> str | None:
    async with door.client(held) as client:
        answer = await client.get(PATH, headers=_bearer(edge, **more))
        assert answer.status_code == 200, answer.text
    return _told(edge)


def _called(edge: Edge, target: str, credentials: grpc.ChannelCredentials | None, **more: str) -> str | None:
    request = audit_service_pb2.GetAuditHeadRequest(name="identity/auditHead").SerializeToString()
    channel = grpc.secure_channel(target, credentials) if credentials else grpc.insecure_channel(target)
    with channel:
        call: Any = channel.unary_unary(HEAD)
        call(request, metadata=list(_bearer(edge, **more).items()), timeout=PATIENCE)
    return _told(edge)


@pytest.mark.parametrize("name", SPELLINGS)
def test_at_the_plain_listener_nothing_is_told(certified: Edge, name: str) -> None:
    with httpx.Client(base_url=certified.url, trust_env=False, timeout=PATIENCE) as client:
        for headers in (_bearer(certified), _bearer(certified, **{name: FORGED})):
            assert client.get(PATH, headers=headers).status_code == 200
            assert _told(certified) is None
        twice = [*_bearer(certified).items(), (name, FORGED), (name, "By=x")]
        assert client.get(PATH, headers=twice).status_code == 200
        assert _told(certified) is None
    assert _called(certified, certified.target, None, **{HEADER: FORGED}) is None


@pytest.mark.parametrize(
    ("smuggled", "code"),
    [
        (f"x_forwarded_client_cert: {FORGED}", 400),
        (f"{HEADER} : {FORGED}", 400),
        (f"{HEADER}: {FORGED}\r\n{HEADER}: By=a;{FORGED}", 200),
        (f"other: a\r\n {HEADER}: {FORGED}", 200),
        (f"other: a\n{HEADER}: {FORGED}", 200),
        (f"connection: {HEADER}, keep-alive\r\n{HEADER}: {FORGED}", 200),
        (f"transfer-encoding: chunked\r\ntrailer: {HEADER}\r\n\r\n0\r\n{HEADER}: {FORGED}", 200),
    ],
)
def test_nothing_comes_in_past_the_parser(
    certified: Edge, door: PartnersDoor, held: HeldCertificate, smuggled: str, code: int
) -> None:
    """By another spelling, twice, folded, as a part of another line, as what belongs to the connection alone, behind the body."""
    asked = [f"GET {PATH} HTTP/1.1", "host: a", *(f"{name}: {each}" for name, each in _bearer(certified).items())]
    text = "\r\n".join([*asked, smuggled, "", ""]).encode()
    told = f"Hash={held.digest}"
    plain = int(certified.target.rpartition(":")[2])
    for port, context, known in (
        (plain, None, None),
        (door.port, door.context(), None),
        (door.port, door.context(held), told),
    ):
        with socket.create_connection(("127.0.0.1", port)) as opened:
            opened.settimeout(PATIENCE)
            wrapped = context.wrap_socket(opened, server_hostname="127.0.0.1") if context else opened
            with wrapped:
                wrapped.sendall(text)
                answer = HTTPResponse(wrapped)
                answer.begin()
                assert answer.status == code
        if code == 200:
            assert _told(certified) == known
        assert certified.seen.metadata == []


def test_an_edge_without_such_a_listener_tells_nothing_either(edge: Edge, client: httpx.Client) -> None:
    edge.seen.metadata.clear()
    assert client.get(PATH, headers=_bearer(edge, **{HEADER: FORGED})).status_code == 200
    assert _told(edge) is None


async def test_the_digest_of_what_was_shown_is_told(certified: Edge, door: PartnersDoor, held: HeldCertificate) -> None:
    told = f"Hash={hashlib.sha256(held.der).hexdigest()}"
    assert await _asked(certified, door, held) == told
    for name in SPELLINGS:
        assert await _asked(certified, door, held, **{name: FORGED}) == told


async def test_who_shows_none_comes_in_and_nothing_is_told(certified: Edge, door: PartnersDoor) -> None:
    for name in SPELLINGS:
        assert await _asked(certified, door, None, **{name: FORGED}) is None


def test_so_it_is_of_calls(certified: Edge, door: PartnersDoor, held: HeldCertificate) -> None:
    certificate, key = held.files(door.folder, "grpc")
    shown = grpc.ssl_channel_credentials(door.root.pem, key.read_bytes(), certificate.read_bytes())
    nothing = grpc.ssl_channel_credentials(door.root.pem)
    target = door.url.removeprefix("https://")
    told = f"Hash={hashlib.sha256(held.der).hexdigest()}"
    assert _called(certified, target, shown, **{HEADER: FORGED}) == told
    assert _called(certified, target, nothing, **{HEADER: FORGED}) is None


@pytest.mark.parametrize("wrong", ["foreign", "self-signed", "expired", "early", "server"])
async def test_what_is_no_good_is_refused_in_the_handshake(certified: Edge, door: PartnersDoor, wrong: str) -> None:
    now, alone = datetime.now(UTC), Signer("alone")
    made = {
        "foreign": lambda: Signer("partners").sign("erp"),
        "self-signed": lambda: HeldCertificate(alone.certificate, alone._key),
        "expired": lambda: door.signer.sign("erp", start=now - 2 * DAY, end=now - DAY),
        "early": lambda: door.signer.sign("erp", start=now + DAY),
        "server": lambda: door.signer.sign("erp", use=FOR_SERVERS),
    }[wrong]()
    async with door.client(made) as client:
        with pytest.raises(REFUSED):
            await client.get(PATH, headers=_bearer(certified))
    assert certified.seen.metadata == []


async def test_what_was_revoked_is_refused_in_the_handshake(
    certified: Edge, door: PartnersDoor, held: HeldCertificate, revoked: HeldCertificate
) -> None:
    async with door.client(revoked) as client:
        with pytest.raises(REFUSED):
            await client.get(PATH, headers=_bearer(certified))
    assert certified.seen.metadata == []
    assert await _asked(certified, door, held)


async def test_older_tls_is_not_spoken(door: PartnersDoor, certified: Edge, held: HeldCertificate) -> None:
    context = door.context(held)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
    assert certified.seen.metadata == []


def test_files_that_were_renewed_are_taken_up_without_a_restart(
    certified: Edge, door: PartnersDoor, held: HeldCertificate
) -> None:
    """The gateway's own process writes the configuration when it starts: Envoy goes on, by the new files."""
    ca, crl = Path(door.files["ca"]), door.folder / "crl.pem"
    before, listed, other = ca.read_bytes(), crl.read_bytes(), Signer("others")
    mine = other.sign("erp")
    ca.write_bytes(other.pem)
    crl.write_bytes(other.revoking())
    envoy_config.write(certified.config)
    try:
        _await_change(certified, door, mine, held)
    finally:
        ca.write_bytes(before)
        crl.write_bytes(listed)
        envoy_config.write(certified.config)
        _await_change(certified, door, held, mine)


def test_a_connection_ends_in_time_and_the_next_shows_its_certificate_anew(
    tmp_path: Path, door: PartnersDoor, held: HeldCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is under way is lost, and a certificate that is no good any more is out with the next connection."""
    monkeypatch.setattr(envoy_config, "CERTIFIED_SECONDS", 1)
    port = free_port()
    section = {"port": port, **door.files, "identity": f"127.0.0.1:{free_port()}"}
    with running_edge(tmp_path, mtls=section) as edge:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            door.context(held).wrap_socket(plain, server_hostname="127.0.0.1") as opened,
        ):
            opened.settimeout(PATIENCE)
            end, calls = time.monotonic() + PATIENCE, 0
            while time.monotonic() < end and _answered_on(opened, edge):
                calls += 1
        assert calls > 0
        assert time.monotonic() < end, "the connection goes on for ever"


def _answered_on(opened: ssl.SSLSocket, edge: Edge) -> bool:
    """Asks once by a connection; whether it goes on."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in _bearer(edge).items())
    try:
        opened.sendall(f"GET {PATH} HTTP/1.1\r\nhost: partners\r\n{headers}\r\n".encode())
        answer = HTTPResponse(opened)
        answer.begin()
    except (OSError, HTTPException):
        return False
    assert answer.status == 200
    answer.read()
    return not answer.will_close


def _await_change(edge: Edge, door: PartnersDoor, lets_in: HeldCertificate, keeps_out: HeldCertificate) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if _comes_in(edge, door, lets_in) and not _comes_in(edge, door, keeps_out):
            return
        time.sleep(0.05)
    pytest.fail("Envoy goes on by the old files")


def _comes_in(edge: Edge, door: PartnersDoor, held: HeldCertificate) -> bool:
    with (
        contextlib.suppress(*REFUSED),
        httpx.Client(base_url=door.url, verify=door.context(held), trust_env=False, timeout=PATIENCE) as client,
    ):
        client.get(PATH, headers=_bearer(edge))
        return _told(edge) is not None
    return False
