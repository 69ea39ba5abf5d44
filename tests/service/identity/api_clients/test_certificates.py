"""The certificates of clients: registered, replaced with and without an overlap, asked for from outside, told of before they end."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from libs.clock import FakeClock
from libs.db.schema import outbox
from libs.errors import InvalidArgument, TongbanError
from services.identity.api_clients.worker import ClientEnds
from services.identity.app import signing_keys
from services.identity.core.parts import parts_of
from tests.service.identity.api_clients.clients import a_machine, get, make, suspend, update
from tests.service.identity.conftest import POSTS
from tests.support import sql
from tests.support.certified_town import BY_CERTIFICATE, certified_town, granted, own, partner, posted, shown
from tests.support.outbox import emitted
from tests.support.partner_certificates import DAY, HeldCertificate, Signer
from tests.support.service import Ground
from tests.support.town import Town, request_id
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import events_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
SIGNER = Signer("partners")
SECOND = timedelta(seconds=1)
OVERLAP = Duration(seconds=86_400)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """A region that takes certificates."""
    async with certified_town(ground, tmp_path_factory.mktemp("certified")) as found:
        await found.settle(*POSTS)
        yield found


async def _rotate(
    home: Town, client: resources_pb2.Client, *held: HeldCertificate, **more: Any
) -> resources_pb2.Client:
    request = pb.RotateClientKeyRequest(
        name=client.name, certificates=shown(*held), etag=client.etag, request_id=request_id(), **more
    )
    return await home.call(home.clients.RotateClientKey, request, resources_pb2.Client, await home.admin_token())


async def _lets_in(home: Town, client: resources_pb2.Client, held: HeldCertificate) -> bool:
    return (await posted(home, held, **own(client))).status_code == 200


async def _broken(call: Any) -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as raised:
        await call
    (found,) = raised.value.violations
    return found.field, found.rule


async def test_several_let_one_change_without_a_gap(home: Town) -> None:
    first, second = SIGNER.sign("erp"), SIGNER.sign("erp")
    made = await partner(home, first, second)
    assert [await _lets_in(home, made, each) for each in (first, second)] == [True, True]
    assert [each.certificate for each in (await get(home, made.name)).certificates] == [first.der, second.der]


async def test_those_before_are_taken_until_the_overlap_is_over(home: Town) -> None:
    old, new = SIGNER.sign("erp"), SIGNER.sign("erp")
    made = await partner(home, old)
    changed = await _rotate(home, made, new, overlap=OVERLAP)
    assert changed.HasField("overlap_expire_time")
    assert [each.certificate for each in changed.certificates] == [new.der]
    assert [await _lets_in(home, made, each) for each in (old, new)] == [True, True]
    gone = await _rotate(home, changed, new)
    assert not gone.HasField("overlap_expire_time")
    assert [await _lets_in(home, made, each) for each in (old, new)] == [False, True]


async def test_without_an_overlap_the_tokens_from_before_are_gone_too(home: Town) -> None:
    old, new = SIGNER.sign("erp"), SIGNER.sign("erp")
    made = await partner(home, old)
    actor = await home.verifier().verify(await granted(home, old, **own(made)))
    withdrawn = home.service.process.withdrawals
    await withdrawn.look()
    withdrawn.check(actor)
    await _rotate(home, made, new)
    assert not await _lets_in(home, made, old)
    await withdrawn.look()
    # As if it had been made a second earlier: of the rotation's own second it can't be told which came first.
    earlier = replace(actor, claims={**actor.claims, "iat": actor.issued - 1})
    with pytest.raises(TongbanError) as raised:
        withdrawn.check(earlier)
    assert raised.value.metadata == {"rule": "withdrawn"}


async def test_a_repeated_rotation_rotates_once(home: Town) -> None:
    old, new = SIGNER.sign("erp"), SIGNER.sign("erp")
    made = await partner(home, old)
    asked = pb.RotateClientKeyRequest(
        name=made.name, certificates=shown(new), overlap=OVERLAP, etag=made.etag, request_id=request_id()
    )
    token = await home.admin_token()
    answers = [await home.call(home.clients.RotateClientKey, asked, resources_pb2.Client, token) for _ in range(2)]
    assert answers[0] == answers[1]
    assert await _lets_in(home, made, old)


async def test_who_is_known_otherwise_has_none(home: Town) -> None:
    held = SIGNER.sign("erp")
    assert await _broken(make(home, a_machine(), certificates=shown(held))) == (
        "client.certificates",
        "client.certificates",
    )
    assert await _broken(partner(home)) == ("client.certificates", "client.certificates")
    made = await make(home, a_machine())
    assert await _broken(_rotate(home, made, held)) == ("jwks", "client.keys")
    certified = await partner(home, held)
    assert await _broken(_rotate(home, certified)) == ("certificates", "client.certificates")
    assert await _broken(partner(home, held, held)) == ("client.certificates", "certificate.once")
    over = SIGNER.sign("erp", start=datetime.now(UTC) - 2 * DAY, end=datetime.now(UTC) - DAY)
    assert await _broken(partner(home, over)) == ("client.certificates[0].certificate", "certificate.over")
    assert await _broken(_rotate(home, certified, over)) == ("certificates[0].certificate", "certificate.over")


async def test_they_are_changed_by_a_rotation_alone(home: Town) -> None:
    made = await partner(home, SIGNER.sign("erp"))
    changed = update(home, made, certificates=shown(SIGNER.sign("erp")))
    assert await _broken(changed) == ("client.certificates", "client.rotate")
    assert (await update(home, made, display_name="另一个")).certificates == made.certificates


async def test_a_firm_asks_for_a_client_that_is_known_by_one(home: Town) -> None:
    held, boss = SIGNER.sign("erp"), await home.person()
    firm = await home.firm(boss)
    token = await home.exchange(await home.human_token(boss), on_behalf_of=firm.name)
    wanted = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=BY_CERTIFICATE,
        certificates=shown(held),
        request_note="办件进度对接",
    )
    asked = pb.RequestClientRequest(client=wanted, request_id=request_id())
    made = await home.call(home.clients.RequestClient, asked, resources_pb2.Client, token)
    assert not await _lets_in(home, made, held)
    first, _ = await home.administrators()
    approval = pb.ApproveClientRequest(name=made.name, etag=made.etag, request_id=request_id())
    await home.call(home.clients.ApproveClient, approval, resources_pb2.Client, first)
    assert await _lets_in(home, made, held)
    await suspend(home, made.name)
    assert (await posted(home, held, **own(made))).json()["reason"] == "CLIENT_NOT_ACTIVE"


def _ends(home: Town, now: datetime) -> ClientEnds:
    """What warns of ends, as a process has it that was started at this time."""
    process = home.service.process
    parts = parts_of(process, process.config, signing_keys(process))  # type: ignore[arg-type]
    return ClientEnds(replace(parts, wall=FakeClock(now)))


async def _told(home: Town, client: str) -> list[events_pb2.ClientCertificateExpiring]:
    async with home.service.process.database.read() as connection:
        rows = await sql.execute(connection, outbox.select().order_by(outbox.c.seq))
    kind, wire = "cn.tongban.identity.client.certificate_expiring.v1", home.service.process.wire
    found = [row for row in rows if row.type == kind and row.subject == client]
    return [events_pb2.ClientCertificateExpiring.FromString(emitted(wire, row)) for row in found]


async def test_of_each_end_it_is_told_once_and_through_restarts(home: Town) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + 200 * DAY
    ending, lasting = SIGNER.sign("erp", end=end), SIGNER.sign("erp", end=end + 100 * DAY)
    made = await partner(home, ending, lasting, owner=home.department)
    seen = []
    for left in (31 * DAY, 30 * DAY, 29 * DAY, 7 * DAY, DAY, SECOND, -SECOND):
        for _ in range(2):  # the second time by a process that was started anew
            await _ends(home, end - left).look()
        seen.append([each.notice_days for each in await _told(home, made.name)])
    assert seen == [[], [30], [30], [30, 7], [30, 7, 1], [30, 7, 1], [30, 7, 1]]
    first = (await _told(home, made.name))[0]
    assert (first.client, first.owner, first.thumbprint) == (
        made.name,
        home.department,
        made.certificates[0].thumbprint,
    )
    assert first.not_after_time.ToDatetime(UTC) == end
    after = await get(home, made.name)
    assert (after.etag, list(after.certificates)) == (made.etag, list(made.certificates))


async def test_of_what_stays_through_a_rotation_it_is_not_told_anew(home: Town) -> None:
    """Who adds one beside it names the old one again: what was told of that stays told."""
    end = datetime.now(UTC).replace(microsecond=0) + 200 * DAY
    staying = SIGNER.sign("erp", end=end)
    made = await partner(home, staying)
    await _ends(home, end - 29 * DAY).look()
    changed = await _rotate(home, made, SIGNER.sign("erp", end=end + 100 * DAY), staying)
    await _ends(home, end - 28 * DAY).look()
    assert [each.notice_days for each in await _told(home, made.name)] == [30]
    # Left out and back again: it is the same certificate, within its overlap.
    other = await _rotate(home, changed, SIGNER.sign("erp", end=end + 100 * DAY), overlap=OVERLAP)
    await _rotate(home, other, staying)
    await _ends(home, end - 6 * DAY).look()
    assert [each.notice_days for each in await _told(home, made.name)] == [30, 7]


async def test_of_what_was_replaced_nothing_is_told(home: Town) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + 200 * DAY
    made = await partner(home, SIGNER.sign("erp", end=end))
    await _rotate(home, made, SIGNER.sign("erp", end=end + 100 * DAY), overlap=OVERLAP)
    await _ends(home, end - DAY).look()
    assert await _told(home, made.name) == []
