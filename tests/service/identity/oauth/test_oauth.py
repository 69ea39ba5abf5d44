"""The token endpoint over real HTTP: what it gives, and every way in which it refuses."""

import base64
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from libs.access import roles
from libs.db.schema import audit_records
from libs.process import Process
from libs.rpc.token_types import ACCESS_TOKEN
from services.identity.core import client_authentication, codec
from tests.support import sql
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.from_now import FromNow, timed
from tests.support.recorded import is_of, records_of
from tests.support.service import Ground
from tests.support.town import CLIENT_ASSERTION, JWT_BEARER, TOKEN_EXCHANGE, Town, request_id, town
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _client(home: Town, scopes: tuple[str, ...] = ("cases.cases.get", "cases.cases.list")) -> tuple[str, str]:
    """Makes a client with a secret; returns its id and the secret."""
    client = resources_pb2.Client(
        display_name="某系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        scopes=scopes,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET,
    )
    request = pb.CreateClientRequest(client=client, request_id=request_id())
    made = await home.call(home.clients.CreateClient, request, resources_pb2.Client, await home.admin_token())
    return made.name.removeprefix("clients/"), made.secret


def refused_with(answer: httpx.Response, status: int, error: str, reason: str = "") -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.json().get("reason", "") == reason
    assert answer.headers["cache-control"] == "no-store"


async def test_discovery_says_where_everything_is(home: Town) -> None:
    found = (await home.http.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == home.base
    assert found["token_endpoint"] == f"{home.base}/oauth/token"
    assert found["jwks_uri"] == f"{home.base}/.well-known/jwks.json"
    assert set(found["grant_types_supported"]) == {
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        TOKEN_EXCHANGE,
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    }


async def test_the_key_set_holds_the_key_in_use_and_the_next_one_and_no_secret(home: Town) -> None:
    keys = (await home.http.get("/.well-known/jwks.json")).json()["keys"]
    assert len(keys) == 2
    assert all(set(key) == {"kid", "kty", "alg", "use", "crv", "x", "y"} for key in keys)


async def test_the_record_of_a_token_that_was_asked_for_by_http_is_of_the_form(home: Town) -> None:
    person, clerk = await home.human_token(await home.person()), await home.staff_token()
    asked = {"subject_token": person, "subject_token_type": ACCESS_TOKEN}
    answer = await home.post(grant_type=TOKEN_EXCHANGE, **asked, actor_token=clerk, actor_token_type=ACCESS_TOKEN)
    assert answer.status_code == 200, answer.text
    process = home.service.process
    exchanged = (await records_of(process, "TokenService.ExchangeToken"))[-1]
    assert is_of(process, exchanged, answer.request.content)
    assert not is_of(process, exchanged, answer.request.content + b"&")


async def test_a_client_gets_what_its_scopes_allow(home: Town) -> None:
    answer = await home.post(grant_type="client_credentials", **home.client_form(home.admin))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 600
    principal = await home.verifier().verify(answer.json()["access_token"])
    assert (principal.subject, principal.kind, principal.client) == (
        "clients/administrator",
        "CLIENT",
        "administrator",
    )
    assert principal.scopes == set(roles.ADMINISTRATOR)


async def test_asking_for_less_gives_less_and_for_more_nothing(home: Town) -> None:
    token = await home.machine_token(home.admin, "identity.clients.get audit.auditRecords.list")
    assert (await home.verifier().verify(token)).scopes == {"identity.clients.get", "audit.auditRecords.list"}
    form = home.client_form(home.admin)
    refused = await home.post(grant_type="client_credentials", scope="cases.*", **form)
    refused_with(refused, 400, "invalid_scope", "SCOPE_NOT_GRANTED")


async def test_a_client_assertion_is_good_once(home: Town) -> None:
    form = {"grant_type": "client_credentials", **home.client_form(home.admin)}
    assert (await home.post(**form)).status_code == 200
    refused_with(await home.post(**form), 401, "invalid_client", "TOKEN_INVALID")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1_700_000_000},
        {"exp": FromNow(86_400)},
        {"exp": None},
        {"exp": "soon"},
        {"jti": None},
        {"jti": ""},
        {"aud": "https://elsewhere.test"},
        {"aud": None},
        {"iat": FromNow(3_600)},
        {"nbf": FromNow(3_600)},
        {"sub": "somebody-else"},
        {"iss": "somebody-else"},
        {"iss": None},
    ],
    ids=str,
)
async def test_a_wrong_client_assertion_isrefused_with(home: Town, claims: dict[str, Any]) -> None:
    form = {"grant_type": "client_credentials", **home.client_form(home.admin, **timed(claims))}
    refused_with(await home.post(**form), 401, "invalid_client", "TOKEN_INVALID")


async def test_a_strangers_key_and_broken_text_arerefused_with(home: Town) -> None:
    stranger = Machine("administrator", new_key(str(home.admin.key.kid)))
    form = {"grant_type": "client_credentials", **home.client_form(stranger)}
    refused_with(await home.post(**form), 401, "invalid_client", "TOKEN_INVALID")
    for text in ("x", "a.b.c", "é" * 10, "x" * 9_000):
        form = {"client_assertion_type": CLIENT_ASSERTION, "client_assertion": text}
        answer = await home.post(grant_type="client_credentials", **form)
        refused_with(answer, 401, "invalid_client", "TOKEN_INVALID")


async def test_a_token_of_ours_is_no_client_assertion(home: Town) -> None:
    form = {"client_assertion_type": CLIENT_ASSERTION, "client_assertion": await home.admin_token()}
    refused_with(await home.post(grant_type="client_credentials", **form), 401, "invalid_client", "TOKEN_INVALID")


async def test_a_secret_works_in_header_and_form(home: Town) -> None:
    client, secret = await _client(home)
    by_form = await home.post(grant_type="client_credentials", client_id=client, client_secret=secret)
    assert by_form.status_code == 200
    assert by_form.json()["scope"] == "cases.cases.get cases.cases.list"
    form = {"grant_type": "client_credentials"}
    assert (await home.http.post("/oauth/token", data=form, auth=(client, secret))).status_code == 200


async def test_a_wrong_secret_and_an_unknown_client_look_alike(home: Town) -> None:
    client, secret = await _client(home)
    form = {"grant_type": "client_credentials"}
    answers = [
        await home.http.post("/oauth/token", data=form, auth=pair) for pair in ((client, "x"), ("nobody", secret))
    ]
    for answer in answers:
        refused_with(answer, 401, "invalid_client", "TOKEN_INVALID")
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert answers[0].text == answers[1].text


async def test_a_client_with_keys_has_no_secret(home: Town) -> None:
    answer = await home.post(grant_type="client_credentials", client_id="administrator", client_secret="")
    refused_with(answer, 401, "invalid_client")
    answer = await home.post(grant_type="client_credentials", client_id="administrator", client_secret="x")
    refused_with(answer, 401, "invalid_client", "TOKEN_INVALID")


async def test_one_way_to_authenticate_at_a_time(home: Town) -> None:
    client, secret = await _client(home)
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    answer = await home.http.post("/oauth/token", data=form, auth=(client, secret))
    refused_with(answer, 400, "invalid_request")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"grant_type=%ff", "application/x-www-form-urlencoded"),
        (b'{"grant_type": "x"}', "application/json"),
        (b"x=" + b"y" * 70_000, "application/x-www-form-urlencoded"),
        (b"a&" * 60, "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_form_is_an_invalid_request(home: Town, content: bytes, kind: str) -> None:
    answer = await home.http.post("/oauth/token", content=content, headers={"content-type": kind})
    refused_with(answer, 400, "invalid_request")


async def test_other_grants_are_not_offered(home: Town) -> None:
    refused_with(await home.post(grant_type="password"), 400, "unsupported_grant_type")
    refused_with(await home.post(grant_type="client_credentials"), 401, "invalid_client")
    assert (await home.http.get("/oauth/token")).status_code == 405


async def test_exchange_over_http_is_the_rpcs(home: Town) -> None:
    person = await home.person()
    firm = await home.firm(person)
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": ACCESS_TOKEN, "on_behalf_of": firm.name}
    answer = await home.post(**form, subject_token=await home.human_token(person))
    assert answer.status_code == 200
    assert answer.json()["issued_token_type"] == ACCESS_TOKEN
    principal = await home.verifier().verify(answer.json()["access_token"])
    assert (principal.subject, principal.organization, principal.mandate) == (person, firm.name, "")
    refused_with(await home.post(**form, subject_token="x"), 400, "invalid_grant", "TOKEN_INVALID")
    refused_with(await home.post(**form), 400, "invalid_request", "FIELD_INVALID")
    wrong = await home.post(grant_type=TOKEN_EXCHANGE, subject_token="x", subject_token_type=ACCESS_TOKEN)
    refused_with(wrong, 400, "invalid_request", "EXCHANGE_NOT_SUPPORTED")


async def test_a_suspended_client_gets_no_token_until_it_is_resumed(home: Town) -> None:
    client, secret = await _client(home)
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    token = await home.admin_token()
    suspend = pb.SuspendClientRequest(name=f"clients/{client}", reason="审查", request_id=request_id())
    await home.call(home.clients.SuspendClient, suspend, resources_pb2.Client, token)
    refused_with(await home.post(**form), 401, "invalid_client", "CLIENT_NOT_ACTIVE")
    resume = pb.ResumeClientRequest(name=f"clients/{client}", request_id=request_id())
    await home.call(home.clients.ResumeClient, resume, resources_pb2.Client, token)
    assert (await home.post(**form)).status_code == 200


async def test_old_keys_hold_as_long_as_the_overlap_lasts(home: Town) -> None:
    admin = await home.admin_token()
    old, new, newest = (Machine("rotating", new_key(f"k{number}")) for number in range(3))
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_SYSTEM,
        scopes=["cases.cases.get"],
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(old.key)]),
    )
    create = pb.CreateClientRequest(client=client, client_id="rotating", request_id=request_id())
    held = await home.call(home.clients.CreateClient, create, resources_pb2.Client, admin)
    for machine, seconds in ((new, 3_600), (newest, 0)):
        rotate = pb.RotateClientKeyRequest(
            name="clients/rotating",
            etag=held.etag,
            jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(machine.key)]),
            request_id=request_id(),
        )
        rotate.overlap.FromSeconds(seconds)
        held = await home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, admin)
        if machine is new:
            await home.machine_token(old)
            await home.machine_token(new)
    await home.machine_token(newest)
    for machine in (old, new):
        answer = await home.post(grant_type="client_credentials", **home.client_form(machine))
        refused_with(answer, 401, "invalid_client", "TOKEN_INVALID")


async def test_without_redis_no_assertion_is_taken(ground: Ground, tmp_path: Path) -> None:
    def unplug(process: Process) -> None:
        process.redis = Redis.from_url("redis://127.0.0.1:1/0", protocol=2)

    async with town(ground, tmp_path, prepare=unplug) as alone:
        answer = await alone.post(grant_type="client_credentials", **alone.client_form(alone.admin))
        refused_with(answer, 503, "temporarily_unavailable", "DEPENDENCY_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"


async def test_errors_hold_no_quotation_marks(home: Town) -> None:
    answer = await home.post(
        grant_type="client_credentials", scope=f'x"{uuid.uuid4()}\\', **home.client_form(home.admin)
    )
    refused_with(answer, 400, "invalid_scope", "SCOPE_NOT_GRANTED")
    assert set('"\\').isdisjoint(answer.json()["error_description"])


async def test_a_used_assertion_is_remembered_as_long_as_it_would_be_taken(home: Town) -> None:
    """To the end of the 60 seconds that clocks may differ by: one that has expired by ours is used up all the same."""
    now, person, jti = int(time.time()), await home.person(), str(uuid.uuid4())
    form = home.asserted(person, exp=now - 30, iat=now - 80, jti=jti)
    await home.granted(**form)
    assert (await home.post(**form)).json()["reason"] == "TOKEN_INVALID"
    redis = home.service.process.redis
    left = [await redis.ttl(key) async for key in redis.scan_iter("*:once:*")]
    assert -1 not in left, "none is remembered for ever"
    again = home.asserted(person, exp=int(time.time()) + 5, jti=str(uuid.uuid4()))
    before = {key async for key in redis.scan_iter("*:once:*")}
    await home.granted(**again)
    (made,) = {key async for key in redis.scan_iter("*:once:*")} - before
    assert await redis.ttl(made) >= 5 + 60 - 5


async def test_an_unknown_client_and_a_wrong_key_are_told_alike(home: Town) -> None:
    """Neither the answer nor what is done for it tells which clients there are, and which keys they have."""
    unknown, impostor = Machine("nobody-here", new_key("window-1")), Machine("window", new_key("window-1"))
    other_kid, with_secret = Machine("window", new_key("window-2")), Machine("administrator", new_key("x"))
    person = await home.person()
    for machine in (unknown, impostor, other_kid, with_secret):
        granted = await home.post(grant_type=JWT_BEARER, assertion=machine.sign(person, home.base, acr="4"))
        client = await home.post(grant_type="client_credentials", **home.client_form(machine))
        assert (granted.status_code, granted.json()) == (400, _UNKNOWN | {"error": "invalid_grant"}), machine.client_id
        assert (client.status_code, client.json()) == (401, _UNKNOWN | {"error": "invalid_client"}), machine.client_id
    for client_id in ("nobody-here", "window", "administrator"):
        answer = await home.post(grant_type="client_credentials", client_id=client_id, client_secret="s" * 43)
        assert (answer.status_code, answer.json()) == (401, _UNKNOWN | {"error": "invalid_client"}), client_id


async def test_as_many_signatures_are_checked_for_an_unknown_client(
    home: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    real = codec.verified

    def counted(token: str, key: Any, algorithm: str) -> Any:
        checked.append(algorithm)
        return real(token, key, algorithm)

    monkeypatch.setattr(client_authentication, "verified", counted)
    for machine in (Machine("nobody-here", new_key("k")), Machine("window", new_key("window-1"))):
        await home.post(grant_type="client_credentials", **home.client_form(machine))
    assert checked == ["ES256", "ES256"]


_UNKNOWN = {
    "error_description": "the client is not known, or its credentials are wrong",
    "reason": "TOKEN_INVALID",
}


async def test_a_login_and_an_exchange_bring_the_receipt_of_their_record(home: Town) -> None:
    """By HTTP as by gRPC, and for a machine's own token (decision 0045)."""
    person = await home.person()
    login = await home.post(**home.asserted(person))
    firm = await home.firm(person)
    asked = {"subject_token": login.json()["access_token"], "subject_token_type": ACCESS_TOKEN}
    acting = await home.post(grant_type=TOKEN_EXCHANGE, on_behalf_of=firm.name, **asked)
    machine = await home.post(grant_type="client_credentials", **home.client_form(home.admin))
    for answer, method in (
        (login, "oauth.jwt-bearer"),
        (acting, "tongban.identity.v1.TokenService.ExchangeToken"),
        (machine, "oauth.client-credentials"),
    ):
        encoded = answer.headers["tongban-receipt"]
        receipt = common_pb2.Receipt.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
        async with home.service.process.database.read() as connection:
            rows = await sql.execute(connection, audit_records.select())
        (record,) = [row for row in rows if row.leaf_hash == receipt.leaf_hash]
        assert method.encode() in record.canonical
