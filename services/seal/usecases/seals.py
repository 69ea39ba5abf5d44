"""Making, ending and reading seals."""

from datetime import datetime, timedelta
from typing import Any, cast

from libs import names
from libs.clock import Clock
from libs.db import paging, rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, reasons
from libs.ids import uscc
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from libs.workers import Pool
from services.seal.authority import Authority
from services.seal.convert import certificate_state, seal_message, seal_of
from services.seal.domain.seals import (
    SealChange,
    SealKind,
    SealRank,
    User,
    ensure_period,
    ensure_separated,
    next_state,
    seal_code,
    state_at,
)
from services.seal.keys import SigningKeys
from services.seal.owners import Owners
from services.seal.picture import SealText
from services.seal.ses import parse_seal
from services.seal.store.certificates import CertificateStore, certificate_values
from services.seal.store.seals import SealStore
from services.seal.tables import certificates, seals
from services.seal.usecases.certificates import Certificates
from services.seal.usecases.endings import Endings
from services.seal.usecases.revocation import Revocation
from services.seal.workshop import MadeSeal, Maker, SealOrder, make_seal
from tongban.seal.v1 import events_pb2 as events
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as pb

_USUAL_DAYS = 1826


class Seals:
    """Use cases of SealService."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: SealStore,
        certificate_store: CertificateStore,
        endings: Endings,
        makers: Certificates,
        authority: Authority,
        keys: SigningKeys,
        revocation: Revocation,
        pool: Pool,
        clock: Clock,
        region: str,
        owners: Owners,
    ) -> None:
        self._owners = owners
        self._uow = uow
        self._store = store
        self._certificates = certificate_store
        self._endings = endings
        self._makers = makers
        self._authority = authority
        self._keys = keys
        self._revocation = revocation
        self._pool = pool
        self._clock = clock
        self._region = region

    async def make(self, command: Command, request: pb.MakeSealRequest) -> resources.Seal:
        """Makes a seal and puts it into force."""
        actor = current_call().actor
        actor.require_impartial(request.owner)
        stored = await self._uow.stored(command)
        if stored is not None:
            return cast("resources.Seal", stored)
        _check_names(request)
        owner_uscc = str(uscc.parse(request.owner_uscc, "owner_uscc"))
        code = await self._code(request.seal_code)
        order = _order(request, owner_uscc, code, self._clock.now())
        await self._owners.check(request.owner, request.arc_text, owner_uscc)
        keeper = User(actor.subject, actor.human)
        ensure_separated("", keeper, await self._owners.users([user.subject for user in request.users]))
        maker = await self._makers.maker()
        made = await self._pool.run(make_seal, order, maker, self._authority, self._keys)

        async def work(tx: Transaction) -> resources.Seal:
            row = await self._insert(tx, request, order, made, maker, keeper)
            name = f"seals/{row.id}"
            tx.emit(
                name,
                events.SealMade(
                    seal=name,
                    seal_code=row.seal_code,
                    owner=row.owner,
                    kind=request.kind,
                    make_time=timestamp(tx.now),
                ),
            )
            return seal_message(row, tx.now, row.structure)

        return await self._uow.run(command, work)

    async def _code(self, wanted: str) -> str:
        if wanted:
            if await self._store.has_code(wanted):
                raise reasons.resource_exists("a seal bears this code already", resource="seals")
            return wanted
        code = seal_code(self._region, await self._store.next_code_number())
        while await self._store.has_code(code):
            code = seal_code(self._region, await self._store.next_code_number())
        return code

    async def _insert(
        self,
        tx: Transaction,
        request: pb.MakeSealRequest,
        order: SealOrder,
        made: MadeSeal,
        maker: Maker,
        keeper: User,
    ) -> Row:
        made_with = await self._certificates.hold(tx.connection, maker.identifier)
        if certificate_state(made_with, tx.now) != "VALID":
            raise reasons.concurrent_change("the seal maker's certificate has ended meanwhile", retry_after=0.1)
        certificate = certificate_values(made.certificate, "SIGNER", tx.now, made.key_name, made.key_version)
        await rows.insert(tx.connection, certificates, certificate)
        users = [{"subject": user.subject, "approval_needed": user.approval_needed} for user in request.users]
        return await rows.insert(
            tx.connection,
            seals,
            {
                "id": order.identifier,
                "seal_id": order.seal_id,
                "seal_code": order.text.code,
                "display_name": order.name,
                "kind": order.kind.value,
                "rank": order.rank.value,
                "owner": request.owner,
                "owner_uscc": order.owner_uscc,
                "arc_text": request.arc_text,
                "bottom_text": request.bottom_text,
                "diameter_mm": order.diameter_mm,
                "state": "ACTIVE",
                "valid_from_time": order.valid_from,
                "valid_until_time": order.valid_until,
                "certified_until_time": min(made.certificate.not_after, made_with.not_after_time),
                "users": users,
                "certificate": certificate["id"],
                "kept_by": keeper.subject,
                "kept_human": keeper.human,
                "maker_certificate": maker.identifier,
                "structure": made.structure,
                "svg": made.svg,
                "make_time": order.make_time,
                "create_time": tx.now,
                "update_time": tx.now,
            },
        )

    async def revoke(self, command: Command, request: pb.RevokeSealRequest) -> resources.Seal:
        """Ends a seal and revokes its signer's certificate."""
        actor = current_call().actor
        identifier = request.name.removeprefix("seals/")

        async def work(tx: Transaction) -> resources.Seal:
            row = await self._store.lock(tx.connection, identifier)
            actor.require_impartial(row.owner)
            check_etag(request.name, row.version, request.etag)
            next_state(request.name, state_at(seal_of(row, identifier), tx.now), SealChange.REVOKE)
            row = await self._endings.seal(tx, row, request.reason)
            return seal_message(row, tx.now)

        answer = await self._uow.run(command, work)
        await self._revocation.publish_soon()
        return answer

    async def get(self, name: str) -> resources.Seal:
        """Reads a seal with its structure."""
        row = await self._store.seal(name.removeprefix("seals/"))
        return seal_message(row, self._clock.now(), row.structure)

    async def page(self, request: pb.ListSealsRequest) -> pb.ListSealsResponse:
        """Lists seals, newest first."""
        size = paging.page_size(request.page_size)
        after = paging.position(request, request.page_token)
        now = self._clock.now()
        found = await self._store.page(_filters(request) | {"before": str(after[0]) if after else ""}, size + 1, now)
        token = paging.next_token(request, found[size - 1].id) if len(found) > size else ""
        return pb.ListSealsResponse(seals=[seal_message(row, now) for row in found[:size]], next_page_token=token)

    async def picture(self, request: pb.GetSealPictureRequest) -> tuple[str, bytes]:
        """Returns media type and bytes of a seal's picture."""
        row = await self._store.seal(request.name.removeprefix("seals/"))
        if request.format == pb.PICTURE_FORMAT_PNG:
            return "image/png", parse_seal(row.structure).picture
        return "image/svg+xml", row.svg


def _filters(request: pb.ListSealsRequest) -> dict[str, str]:
    state = resources.SealState.Name(request.state).removeprefix("SEAL_STATE_") if request.state else ""
    kind = resources.SealKind.Name(request.kind).removeprefix("SEAL_KIND_") if request.kind else ""
    return {"owner": request.owner, "state": state, "kind": kind, "seal_code": request.seal_code}


def _check_names(request: pb.MakeSealRequest) -> None:
    """Checks that what is drawn and written into the seal can be seen; raises FIELD_INVALID."""
    names.check(request.display_name, "display_name")
    names.check(request.arc_text, "arc_text")
    if request.bottom_text:
        names.check(request.bottom_text, "bottom_text")


def _order(request: pb.MakeSealRequest, owner_uscc: str, code: str, now: datetime) -> SealOrder:
    start = _moment(request, "valid_from_time", now)
    end = _moment(request, "valid_until_time", start + timedelta(days=_USUAL_DAYS))
    ensure_period(start, end)
    if end <= now:
        raise invalid_field("valid_until_time", "in_the_future", "must be in the future")
    return SealOrder(
        identifier=uuid7(),
        name=request.display_name,
        kind=SealKind(resources.SealKind.Name(request.kind).removeprefix("SEAL_KIND_")),
        rank=SealRank(resources.SealRank.Name(request.rank).removeprefix("SEAL_RANK_")),
        owner_uscc=owner_uscc,
        text=SealText(names.printed(request.arc_text), names.printed(request.bottom_text), code),
        make_time=now,
        valid_from=start,
        valid_until=end,
    )


def _moment(request: pb.MakeSealRequest, field: str, otherwise: datetime) -> datetime:
    given = request.HasField(cast("Any", field))
    moment: datetime = getattr(request, field).ToDatetime(otherwise.tzinfo) if given else otherwise
    # GB/T 38540 writes whole seconds; the row says what the structure says.
    return moment.replace(microsecond=0)
