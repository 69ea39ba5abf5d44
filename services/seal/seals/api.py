"""SealService: making, ending and reading seals."""

from datetime import datetime

from google.api import httpbody_pb2

from libs.access.actor import Actor
from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, reasons
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.seal.core import certificates, seals
from services.seal.core.certificates import CertificateState, new_certificate
from services.seal.core.endings import end_seal
from services.seal.core.parts import Parts
from services.seal.core.seal_rules import SealChange, User, ensure_separated, next_state, seal_code, state_at
from services.seal.core.seals import Seal, WholeSeal
from services.seal.core.ses import parse_seal
from services.seal.seals import making
from services.seal.seals.convert import SEAL_KINDS, seal_message
from services.seal.seals.making import MadeSeal
from services.seal.seals.orders import check_texts, order_of, seal_of
from services.seal.seals.store import ADD, LISTED, SealStore
from tongban.seal.v1 import events_pb2 as events
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as pb


class SealApi:
    """Makes seals and ends them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = SealStore(parts.database)

    async def create_seal(self, request: pb.CreateSealRequest, call: Call) -> resources.Seal:
        """Makes a seal and puts it into force."""
        actor, command, wanted = call.actor, command_of(request, call=call), request.seal
        actor.require_impartial(wanted.owner)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, resources.Seal):
            return stored
        keeper = User(actor.subject, actor.human)
        made = await self._made(wanted, keeper)

        async def work(tx: Transaction) -> resources.Seal:
            seal = await _add(tx, wanted, made, keeper)
            _tell_made(tx, seal)
            return seal_message(seal, tx.now, seal.structure)

        return await self._parts.uow.run(command, work)

    async def _made(self, wanted: resources.Seal, keeper: User) -> MadeSeal:
        parts = self._parts
        owner_uscc = check_texts(wanted)
        order = order_of(wanted, owner_uscc, await self._code(wanted.seal_code), parts.clock.now())
        await parts.identity.check_owner(wanted.owner, wanted.round.arc_text, owner_uscc)
        subjects = [user.subject for user in wanted.users]
        humans = await parts.identity.humans(subjects)
        ensure_separated("", keeper, [User(*each) for each in zip(subjects, humans, strict=True)])
        return await parts.signing.run(making.make, order, await parts.maker.get(), parts.authority, parts.keys)

    async def _code(self, wanted: str) -> str:
        if wanted:
            if await self._store.has_code(wanted):
                raise reasons.resource_exists("a seal bears this code already", resource="seals")
            return wanted
        region = self._parts.code_on(local_day(self._parts.clock.now()))
        if not region:
            raise invalid_field("seal.seal_code", "required", "the region has no code today: say the code of the seal")
        code = seal_code(region, await self._store.next_code_number())
        while await self._store.has_code(code):
            code = seal_code(region, await self._store.next_code_number())
        return code

    async def revoke_seal(self, request: pb.RevokeSealRequest, call: Call) -> resources.Seal:
        """Ends a seal and revokes its signer's certificate."""

        async def work(tx: Transaction) -> resources.Seal:
            seal = await seals.lock(tx.connection, request.name)
            _check_revocable(seal, request, call.actor, tx.now)
            return seal_message(await end_seal(tx, seal, request.reason), tx.now)

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        await self._parts.revocation.publish_soon()
        return answer

    async def get_seal(self, request: pb.GetSealRequest, call: Call) -> resources.Seal:
        """Gets a seal with its structure."""
        seal = await self._read(request.name)
        return seal_message(seal, self._parts.clock.now(), seal.structure)

    async def list_seals(self, request: pb.ListSealsRequest, call: Call) -> pb.ListSealsResponse:
        """Lists seals, newest first."""
        parts, now = self._parts, self._parts.clock.now()
        async with parts.database.read() as connection:
            shown, token = await LISTED.page(connection, parts.pages, request, now=now)
        return pb.ListSealsResponse(seals=[seal_message(seal, now) for seal in shown], next_page_token=token)

    async def get_seal_picture(self, request: pb.GetSealPictureRequest, call: Call) -> httpbody_pb2.HttpBody:
        """Gets a seal's picture as a file."""
        seal = await self._read(request.name)
        if request.format == pb.PICTURE_FORMAT_PNG:
            return httpbody_pb2.HttpBody(content_type="image/png", data=parse_seal(seal.structure).picture)
        return httpbody_pb2.HttpBody(content_type="image/svg+xml", data=seal.svg)

    async def _read(self, name: str) -> WholeSeal:
        async with self._parts.database.read() as connection:
            return await seals.read(connection, name)


async def _add(tx: Transaction, wanted: resources.Seal, made: MadeSeal, keeper: User) -> WholeSeal:
    made_with = await certificates.hold(tx.connection, made.maker.name)
    if made_with.state_at(tx.now) is not CertificateState.VALID:
        raise reasons.concurrent_change("the seal maker's certificate has ended meanwhile", retry_after=0.1)
    signer = new_certificate(made.certificate, "SIGNER", tx.now, made.key_name, made.key_version)
    await certificates.ADD.add(tx.connection, signer)
    return await ADD.add(tx.connection, seal_of(wanted, made, keeper, signer, made_with))


def _tell_made(tx: Transaction, seal: Seal) -> None:
    told = events.SealMade(
        seal=seal.name,
        seal_code=seal.seal_code,
        owner=seal.owner,
        kind=SEAL_KINDS.number(seal.kind),
        make_time=timestamp(tx.now),
    )
    tx.emit(seal.name, told)


def _check_revocable(seal: Seal, request: pb.RevokeSealRequest, actor: Actor, now: datetime) -> None:
    actor.require_impartial(seal.owner)
    check_etag(request.name, seal.version, request.etag)
    next_state(request.name, state_at(seal.facts, now), SealChange.REVOKE)
