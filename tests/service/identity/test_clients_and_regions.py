"""ClientService and RegionService: credentials that go together, secrets shown once, anchors that hold."""

import ssl
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from libs.db.schema import outbox
from libs.errors import AlreadyExists, InvalidArgument
from libs.rpc.token_types import ASSERTION
from tests.service.identity.conftest import Federation
from tests.support import sql
from tests.support.client_keys import Machine, new_key, public_jwk
from tests.support.outbox import emitted
from tests.support.partner_certificates import Signer
from tests.support.town import Town, reason_of, request_id, trusted
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import client_service_pb2, events_pb2, region_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
BY_KEY = resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT
BY_SECRET = resources_pb2.CLIENT_AUTH_METHOD_CLIENT_SECRET
SYSTEM = resources_pb2.CLIENT_KIND_SYSTEM


def _keys(*keys: resources_pb2.JsonWebKey) -> resources_pb2.JsonWebKeySet:
    return resources_pb2.JsonWebKeySet(keys=keys)


async def _create(home: Town, client_id: str = "", token: str = "", **fields: Any) -> resources_pb2.Client:
    given: dict[str, Any] = {"display_name": "系统", "kind": SYSTEM, "auth_method": BY_SECRET, **fields}
    request = client_service_pb2.CreateClientRequest(
        client=resources_pb2.Client(**given),
        client_id=client_id,
        request_id=request_id(),
    )
    return await home.call(home.clients.CreateClient, request, resources_pb2.Client, token or await home.admin_token())


async def test_a_secret_is_shown_once_and_never_stored(home: Town) -> None:
    token = await home.admin_token()
    client = resources_pb2.Client(display_name="系统", kind=SYSTEM, auth_method=BY_SECRET)
    request = client_service_pb2.CreateClientRequest(client=client, request_id=request_id())
    made = await home.call(home.clients.CreateClient, request, resources_pb2.Client, token)
    assert len(made.secret) == 43
    again = await home.call(home.clients.CreateClient, request, resources_pb2.Client, token)
    assert (again.name, again.secret) == (made.name, "")
    get = client_service_pb2.GetClientRequest(name=made.name)
    assert (await home.call(home.clients.GetClient, get, resources_pb2.Client, token)).secret == ""
    async with home.service.process.database.read() as connection:
        for table in ("idempotency", "clients", "outbox", "audit_records"):
            rows = await sql.execute(connection, f"SELECT t::text FROM {table} t")
            found = "".join(row[0] for row in rows)
            assert made.secret not in found
            assert made.secret.encode().hex() not in found


async def test_a_new_secret_replaces_the_old_one(home: Town) -> None:
    made = await _create(home)
    request = client_service_pb2.RotateClientKeyRequest(name=made.name, etag=made.etag, request_id=request_id())
    rotated = await home.call(home.clients.RotateClientKey, request, resources_pb2.Client, await home.admin_token())
    form = {"grant_type": "client_credentials", "client_id": made.name.removeprefix("clients/")}
    assert (await home.post(**form, client_secret=rotated.secret)).status_code == 200
    assert (await home.post(**form, client_secret=made.secret)).status_code == 401
    request.request_id = request_id()
    stale = home.call(home.clients.RotateClientKey, request, resources_pb2.Client, await home.admin_token())
    assert await reason_of(stale) == "ETAG_MISMATCH"
    request.etag = rotated.etag
    request.jwks.CopyFrom(_keys(public_jwk(new_key("k"))))
    wrong = home.call(home.clients.RotateClientKey, request, resources_pb2.Client, await home.admin_token())
    assert await reason_of(wrong) == "FIELD_INVALID"


async def test_kind_method_keys_and_assertion_right_go_together(home: Town) -> None:
    key = _keys(public_jwk(new_key("k")))
    right = resources_pb2.AssertionRight(actor_kinds=[options_pb2.ACTOR_KIND_PERSON], max_assurance=2)
    channel = resources_pb2.CLIENT_KIND_CHANNEL
    for fields in (
        {"auth_method": BY_KEY},
        {"jwks": key},
        {"kind": channel, "assertion_right": right},
        {"kind": channel, "auth_method": BY_KEY, "jwks": key},
        {"auth_method": BY_KEY, "jwks": key, "assertion_right": right},
    ):
        assert await reason_of(_create(home, **fields)) == "FIELD_INVALID"


async def test_what_is_no_public_key_is_refused(home: Town) -> None:
    good = public_jwk(new_key("k"))
    off_curve = resources_pb2.JsonWebKey()
    off_curve.CopyFrom(good)
    off_curve.x = good.y
    mixed = resources_pb2.JsonWebKey(kid="k", kty="EC", alg="ES256", crv="P-256", x=good.x)
    small = resources_pb2.JsonWebKey(kid="k", kty="RSA", alg="PS256", n="A" * 342, e="AQAB")
    algorithm = resources_pb2.JsonWebKey(kid="k", kty="EC", alg="PS256", crv="P-256", x=good.x, y=good.y)
    for keys in ([off_curve], [mixed], [small], [algorithm], [good, good]):
        with pytest.raises(InvalidArgument) as error:
            await _create(home, auth_method=BY_KEY, jwks=_keys(*keys))
        assert error.value.violations[0].field.startswith("client.jwks.keys")


async def test_nobody_gives_what_they_do_not_hold(home: Town) -> None:
    assert await reason_of(_create(home, scopes=["cases.*"])) == "SCOPE_NOT_GRANTED"
    narrow = await home.machine_token(home.admin, "identity.clients.create identity.clients.get")
    assert await reason_of(_create(home, token=narrow, scopes=["cases.cases.get"])) == "SCOPE_NOT_GRANTED"
    await _create(home, token=narrow, scopes=["identity.clients.get"])
    nowhere = "organizations/00000000-0000-7000-8000-0000000000aa"
    assert await reason_of(_create(home, owner=nowhere)) == "RESOURCE_NOT_FOUND"
    await _create(home, "taken", owner=home.department)
    with pytest.raises(AlreadyExists):
        await _create(home, "taken")


async def test_a_client_reaches_itself_only(home: Town) -> None:
    machine = Machine("modest", new_key("k"))
    await _create(
        home,
        "modest",
        auth_method=BY_KEY,
        jwks=_keys(public_jwk(machine.key)),
        scopes=["identity.clients.get", "identity.clients.rotateKey"],
    )
    own = await home.machine_token(machine)
    get = client_service_pb2.GetClientRequest(name="clients/modest")
    held = await home.call(home.clients.GetClient, get, resources_pb2.Client, own)
    assert held.name == get.name
    get.name = "clients/administrator"
    assert await reason_of(home.call(home.clients.GetClient, get, resources_pb2.Client, own)) == "RESOURCE_NOT_FOUND"
    rotate = client_service_pb2.RotateClientKeyRequest(
        name="clients/administrator",
        etag=held.etag,
        jwks=_keys(public_jwk(new_key("mine"))),
        request_id=request_id(),
    )
    stolen = home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, own)
    assert await reason_of(stolen) == "RESOURCE_NOT_FOUND"
    rotate.name = "clients/modest"
    await home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, own)


async def test_a_clients_life(home: Town) -> None:
    token = await home.admin_token()
    made = await _create(home, kind=resources_pb2.CLIENT_KIND_PARTNER)
    suspend = client_service_pb2.SuspendClientRequest(name=made.name, reason="到期", request_id=request_id())
    stopped = await home.call(home.clients.SuspendClient, suspend, resources_pb2.Client, token)
    assert (stopped.state, stopped.suspend_reason) == (resources_pb2.CLIENT_STATE_SUSPENDED, "到期")
    suspend.request_id = request_id()
    assert await reason_of(home.call(home.clients.SuspendClient, suspend, resources_pb2.Client, token)) == (
        "STATE_CONFLICT"
    )
    rotate = client_service_pb2.RotateClientKeyRequest(name=made.name, etag=stopped.etag, request_id=request_id())
    assert await reason_of(home.call(home.clients.RotateClientKey, rotate, resources_pb2.Client, token)) == (
        "CLIENT_NOT_ACTIVE"
    )
    listed = client_service_pb2.ListClientsRequest(
        filter="kind = CLIENT_KIND_PARTNER AND state = CLIENT_STATE_SUSPENDED", order_by="name desc"
    )
    page = await home.call(home.clients.ListClients, listed, client_service_pb2.ListClientsResponse, token)
    assert [client.name for client in page.clients] == [made.name]
    resume = client_service_pb2.ResumeClientRequest(name=made.name, request_id=request_id())
    await home.call(home.clients.ResumeClient, resume, resources_pb2.Client, token)
    resume.request_id = request_id()
    assert (
        await reason_of(home.call(home.clients.ResumeClient, resume, resources_pb2.Client, token)) == "STATE_CONFLICT"
    )


async def _propose(home: Town, anchor: resources_pb2.RegionAnchor, code: str = "110101") -> resources_pb2.Region:
    region = resources_pb2.Region(display_name="某地", anchor=anchor, inbound=trusted(2), outbound=trusted(2))
    request = region_service_pb2.ProposeRegionRequest(region_id=code, region=region, request_id=request_id())
    return await home.call(home.regions.ProposeRegion, request, resources_pb2.Region, await home.admin_token())


async def _approved_keys(town: Town, name: str) -> resources_pb2.Region:
    found = resources_pb2.Region()
    for token in await town.administrators():
        get = region_service_pb2.GetRegionRequest(name=name)
        etag = (await town.call(town.regions.GetRegion, get, resources_pb2.Region, token)).etag
        approve = region_service_pb2.ApproveRegionKeysRequest(name=name, etag=etag, request_id=request_id())
        found = await town.call(town.regions.ApproveRegionKeys, approve, resources_pb2.Region, token)
    return found


async def test_an_anchor_must_hold(home: Town) -> None:
    good = home.anchor()
    good.issuer = "https://other.test"
    for field in ("root_certificate", "tls_authorities"):
        broken = resources_pb2.RegionAnchor()
        broken.CopyFrom(good)
        setattr(broken, field, b"\x30" * 80)
        with pytest.raises(InvalidArgument) as error:
            await _propose(home, broken)
        assert error.value.violations[0].field == f"region.anchor.{field}"
    # A certificate of a version that there is not.
    der = Signer("authority").certificate.public_bytes(Encoding.DER)
    wrong = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)
    odd = resources_pb2.RegionAnchor()
    odd.CopyFrom(good)
    odd.tls_authorities = ssl.DER_cert_to_PEM_cert(wrong).encode()
    with pytest.raises(InvalidArgument) as error:
        await _propose(home, odd)
    assert error.value.violations[0].field == "region.anchor.tls_authorities"
    # A certificate of the other region, but the one of its log and not its root.
    borrowed = resources_pb2.RegionAnchor()
    borrowed.CopyFrom(good)
    borrowed.root_certificate = (home.service.process.config.keys.folder / "log.der").read_bytes()
    with pytest.raises(InvalidArgument) as error:
        await _propose(home, borrowed)
    assert [(each.field, each.rule) for each in error.value.violations] == [("region.anchor.root_certificate", "root")]
    assert await reason_of(_propose(home, good, "341500")) == "REGION_MISMATCH"


async def test_a_region_is_proposed_trusted_rekeyed_ended_and_proposed_again(home: Town) -> None:
    token, anchor = await home.admin_token(), home.anchor()
    anchor.issuer = "https://nine.test"
    made = await _propose(home, anchor, "110102")
    assert made.state == resources_pb2.REGION_STATE_PROPOSED
    assert await reason_of(_propose(home, anchor, "110102")) == "RESOURCE_EXISTS"
    assert await reason_of(_propose(home, anchor, "110103")) == "RESOURCE_EXISTS"
    resolve = region_service_pb2.ResolveRegionRequest(name=made.name, direction=resources_pb2.TRUST_DIRECTION_OUTBOUND)
    channel = home.neighbour("cases")
    stub = type(home.regions)(channel)
    assert await reason_of(home.call(stub.ResolveRegion, resolve, resources_pb2.Region, "")) == "REGION_NOT_TRUSTED"
    first, second = await home.administrators()
    activate = region_service_pb2.ActivateRegionRequest(name=made.name, etag=made.etag, request_id=request_id())
    assert await reason_of(home.call(home.regions.ActivateRegion, activate, resources_pb2.Region, token)) == (
        "ACTOR_NOT_ALLOWED"
    )
    half = await home.call(home.regions.ActivateRegion, activate, resources_pb2.Region, first)
    assert (half.state, half.approvals) == (resources_pb2.REGION_STATE_PROPOSED, 1)
    activate.etag, activate.request_id = half.etag, request_id()
    assert await reason_of(home.call(home.regions.ActivateRegion, activate, resources_pb2.Region, first)) == (
        "ACTING_ON_SELF"
    )
    assert await reason_of(home.call(stub.ResolveRegion, resolve, resources_pb2.Region, "")) == "REGION_NOT_TRUSTED"
    active = await home.call(home.regions.ActivateRegion, activate, resources_pb2.Region, second)
    assert active.HasField("activate_time")
    assert await home.call(home.regions.ActivateRegion, activate, resources_pb2.Region, second) == active
    assert (await home.call(stub.ResolveRegion, resolve, resources_pb2.Region, "")).name == made.name
    anchor.gateway_url = "https://nine.test:8443"
    rekey = region_service_pb2.SetRegionKeysRequest(
        name=made.name, etag=active.etag, anchor=anchor, request_id=request_id()
    )
    changed = await home.call(home.regions.SetRegionKeys, rekey, resources_pb2.Region, token)
    assert (changed.anchor.gateway_url, changed.pending_anchor.gateway_url) == (home.base, "https://nine.test:8443")
    changed = await _approved_keys(home, made.name)
    assert (changed.anchor.gateway_url, changed.HasField("pending_anchor")) == ("https://nine.test:8443", False)
    end = region_service_pb2.EndRegionRequest(name=made.name, reason="协议到期", request_id=request_id())
    ended = await home.call(home.regions.EndRegion, end, resources_pb2.Region, token)
    assert ended.state_reason == "协议到期"
    rekey.request_id, rekey.etag = request_id(), ended.etag
    assert (
        await reason_of(home.call(home.regions.SetRegionKeys, rekey, resources_pb2.Region, token)) == "STATE_CONFLICT"
    )
    again = await _propose(home, anchor, "110102")
    assert (again.state, again.state_reason) == (resources_pb2.REGION_STATE_PROPOSED, "")
    listed = region_service_pb2.ListRegionsRequest(filter="state = REGION_STATE_PROPOSED")
    person = await home.human_token(await home.person())
    page = await home.call(home.regions.ListRegions, listed, region_service_pb2.ListRegionsResponse, person)
    assert again.name in [region.name for region in page.regions]
    await channel.close()


async def test_new_keys_of_a_region_count_from_the_next_call(federation: Federation) -> None:
    home, away = federation.home, federation.away

    assertion = await home.exchange(await home.human_token(await home.person()), audience="//320402")
    anchor = home.anchor()
    anchor.jwks.CopyFrom(_keys(public_jwk(new_key("other"))))
    token = await away.admin_token()
    get = region_service_pb2.GetRegionRequest(name="regions/341500")
    for wanted in (anchor, home.anchor()):
        held = await away.call(away.regions.GetRegion, get, resources_pb2.Region, token)
        rekey = region_service_pb2.SetRegionKeysRequest(
            name=get.name, etag=held.etag, anchor=wanted, request_id=request_id()
        )
        await away.call(away.regions.SetRegionKeys, rekey, resources_pb2.Region, token)
        await _approved_keys(away, "regions/341500")
        if wanted is anchor:
            assert await reason_of(away.exchange(assertion, ASSERTION)) == "TOKEN_INVALID"
    await away.exchange(assertion, ASSERTION)


async def test_a_region_is_known_by_its_id_and_its_codes_by_their_days(home: Town) -> None:
    anchor = home.anchor()
    anchor.issuer = "https://wanzhi.test"
    dead = resources_pb2.RegionCode(code="340221", end_date=common_pb2.Date(year=2020, month=7, day=15))
    new = resources_pb2.RegionCode(code="340210", start_date=common_pb2.Date(year=2020, month=7, day=16))
    region = resources_pb2.Region(
        display_name="湾沚区", anchor=anchor, inbound=trusted(3), outbound=trusted(3), codes=[new, dead]
    )
    request = region_service_pb2.ProposeRegionRequest(region_id="wanzhi", region=region, request_id=request_id())
    token = await home.admin_token()
    made = await home.call(home.regions.ProposeRegion, request, resources_pb2.Region, token)
    assert (made.name, list(made.codes)) == ("regions/wanzhi", [dead, new])
    get = region_service_pb2.GetRegionRequest(name=made.name)
    assert list((await home.call(home.regions.GetRegion, get, resources_pb2.Region, token)).codes) == [dead, new]


async def test_a_region_gets_another_code_and_stays_the_same(home: Town) -> None:
    """芜湖县, 340221, became 湾沚区, 340210: one administrator says so, and what was is kept."""
    anchor, token = home.anchor(), await home.admin_token()
    anchor.issuer = "https://wuhu.test"
    made = await _propose(home, anchor, "340221")
    first = resources_pb2.RegionCode(code="340221")
    assert list(made.codes) == [first]
    dead = resources_pb2.RegionCode(code="340221", end_date=common_pb2.Date(year=2020, month=7, day=15))
    new = resources_pb2.RegionCode(code="340210", start_date=common_pb2.Date(year=2020, month=7, day=16))

    async def set_codes(
        etag: str, *codes: resources_pb2.RegionCode, by: str = token, name: str = made.name, key: str = ""
    ) -> resources_pb2.Region:
        request = region_service_pb2.SetRegionCodesRequest(
            name=name, codes=codes, etag=etag, request_id=key or request_id()
        )
        return await home.call(home.regions.SetRegionCodes, request, resources_pb2.Region, by)

    key = request_id()
    changed = await set_codes(made.etag, new, dead, key=key)
    assert await set_codes(made.etag, new, dead, key=key) == changed
    assert await reason_of(set_codes(made.etag, dead, key=key)) == "REQUEST_ID_REUSED"
    assert await reason_of(set_codes(made.etag, dead, name="regions/nowhere")) == "RESOURCE_NOT_FOUND"
    assert (changed.name, list(changed.codes), changed.state) == ("regions/340221", [dead, new], made.state)
    async with home.service.process.database.read() as connection:
        told = (await sql.execute(connection, outbox.select().order_by(outbox.c.seq))).all()[-1]
    event = events_pb2.RegionRecoded(region=made.name, codes=[dead, new], former_codes=[first])
    assert (told.subject, emitted(home.service.process.wire, told)) == (made.name, event.SerializeToString())
    assert await reason_of(set_codes(made.etag, dead, new)) == "ETAG_MISMATCH"
    for codes, rule in (((new,), "region_codes.kept"), ((first, new), "region_codes.overlap")):
        with pytest.raises(InvalidArgument) as refused:
            await set_codes(changed.etag, *codes)
        assert [(each.field, each.rule) for each in refused.value.violations] == [("codes", rule)]
    person = await home.human_token(await home.person())
    assert await reason_of(set_codes(changed.etag, dead, new, by=person)) == "PERMISSION_MISSING"
    get = region_service_pb2.GetRegionRequest(name=made.name)
    assert await home.call(home.regions.GetRegion, get, resources_pb2.Region, token) == changed
    end = region_service_pb2.EndRegionRequest(name=made.name, reason="撤销", request_id=request_id())
    ended = await home.call(home.regions.EndRegion, end, resources_pb2.Region, token)
    assert await reason_of(set_codes(ended.etag, dead, new)) == "STATE_CONFLICT"
