"""RatingService: ratings of cases (好差评), of this region and of those that a window here sent to another."""

from datetime import datetime

from libs.access.actor import Actor
from libs.db.command import command_of
from libs.db.uow import Transaction, Work
from libs.errors import invalid_field, not_found
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import timestamp
from services.cases.core.access import (
    absolute,
    hide_from_strangers,
    is_machine,
    is_party,
    made_by,
    not_owner,
    of_department,
    own_or_office,
    require_impartial_abroad,
    spoken_for_abroad,
)
from services.cases.core.cases import CaseRecord
from services.cases.core.exchange import Payload
from services.cases.core.parts import Parts
from services.cases.core.states import CaseState
from services.cases.core.transfers import TransferRow
from services.cases.ratings import store
from services.cases.ratings.convert import rating_message
from services.cases.ratings.rules import RATABLE
from services.cases.ratings.service import RatedCase, RatingWriter
from services.cases.ratings.store import RatingRow
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import rating_service_pb2 as pb


class RatingApi:
    """Takes ratings."""

    def __init__(self, parts: Parts, ratings: RatingWriter) -> None:
        self._parts = parts
        self._ratings = ratings

    async def create_rating(self, request: pb.CreateRatingRequest, call: Call) -> pb.Rating:
        """Rates a case, of this region or of another."""
        name = request.rating.case.removeprefix(f"//{self._parts.home}/")
        return await (self._rate_abroad(request, call) if name.startswith("//") else self._rate(name, request, call))

    async def _rate(self, name: str, request: pb.CreateRatingRequest, call: Call) -> pb.Rating:
        side = self._parts.agents.side(call.actor)

        async def work(tx: Transaction) -> pb.Rating:
            record = await self._parts.cases.lock(tx.connection, name)
            rater = _rater(call.actor, record, request.rating.channel)
            await side.require(record)
            return await self._ratings.rate(tx, record, request.rating, rater)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _rate_abroad(self, request: pb.CreateRatingRequest, call: Call) -> pb.Rating:
        """Rates a case of another region that a window here sent there: the rating travels to it."""
        command = command_of(request, call=call)
        return await self._parts.uow.prepared(command, lambda: self._rating_abroad(request.rating, call.actor))

    async def _rating_abroad(self, wanted: pb.Rating, actor: Actor) -> Work[pb.Rating]:
        """Looks whether the other region takes ratings of what was sent to it, and returns what sends one."""
        parts = self._parts
        sent = await parts.transfers.sent_case(wanted.case)
        right = parts.agents.of_transfer(actor, sent)
        strange = bool(actor.speaks_for) and not parts.agents.is_party(actor, sent)
        if strange or (right and not await parts.agents.stands(right)):
            raise not_found(wanted.case)
        rater = _rater_abroad(actor, sent, wanted, parts.home)
        parts.regions.check_takes(sent.peer_region, Payload.RATING)

        async def work(tx: Transaction) -> pb.Rating:
            row = await parts.transfers.lock(tx.connection, sent.name)
            rated = RatedCase(wanted.case, _state_abroad(row, parts.transfers.content(row)))
            rating = await self._ratings.add(tx, rated, wanted, rater)
            await parts.queue.add(tx, row.id, _traveling(wanted, rater, tx.now))
            return rating_message(rating, parts.cipher)

        return work

    async def get_rating(self, request: pb.GetRatingRequest, call: Call) -> pb.Rating:
        """Reads a rating: who gave it, and the rated department."""
        actor, name, reads = call.actor, request.name, self._parts.reads
        row = await store.get(self._parts.database, name)
        if row.rater in actor.speaks_for:
            await reads.own(request, call, name, "rating")
        elif (actor.office and actor.office == row.department) or await self._is_of_channel(actor, row):
            await reads.note(request, call, name, "rating")
        else:
            raise not_found(name)
        return rating_message(row, self._parts.cipher)

    async def list_ratings(self, request: pb.ListRatingsRequest, call: Call) -> pb.ListRatingsResponse:
        """Lists ratings: those that people gave, those of the department that staff are of."""
        parts, actor = self._parts, call.actor
        scopes = own_or_office(actor, [Scope({"rater": each}) for each in sorted(actor.speaks_for)])
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, scopes)
        await parts.reads.listed(request, call, "ratings", "rating", len(shown))
        ratings = [rating_message(row, parts.cipher) for row in shown]
        return pb.ListRatingsResponse(ratings=ratings, next_page_token=token)

    async def _is_of_channel(self, actor: Actor, row: RatingRow) -> bool:
        """True for the machine that opened the rated case; cases of other regions are opened at windows."""
        if not is_machine(actor) or not row.case_name.startswith("cases/"):
            return False
        return made_by(actor, await self._parts.cases.get(row.case_name))


def _rater(actor: Actor, record: CaseRecord, channel: int) -> str:
    """Returns in whose name a rating is given; raises NOT_OWNER, or FIELD_INVALID for a default by a person."""
    hide_from_strangers(actor, record)
    if channel == pb.RATING_CHANNEL_SYSTEM_DEFAULT:
        if not is_machine(actor):
            raise invalid_field("rating.channel", "rating.default", "is set by systems only")
        return ""
    if is_party(actor, record):
        return actor.subject
    if made_by(actor, record) or of_department(actor, record):
        actor.require_impartial(record.applicant, record.agent)
        return record.agent or record.applicant
    raise not_owner(record.name)


def _rater_abroad(actor: Actor, sent: TransferRow, wanted: pb.Rating, home: str) -> str:
    mine = spoken_for_abroad(actor, home)
    if wanted.channel == pb.RATING_CHANNEL_SYSTEM_DEFAULT:
        raise invalid_field("rating.channel", "rating.default", "is set by the deciding region only")
    if sent.agent in mine or (sent.applicant in mine and "/persons/" in sent.applicant):
        return absolute(actor.subject, home)
    of_window = bool(actor.office) and actor.office == sent.owner_department
    require_impartial_abroad(actor, home, *sent.parties)
    if sent.applicant in mine or of_window:
        return absolute(actor.subject, home) if mine else sent.agent or sent.applicant
    raise not_owner(wanted.case)


def _state_abroad(row: TransferRow, content: exchange.CaseTransfer) -> CaseState:
    """Returns the state that a case in another region is in, as far as it was told."""
    state = CaseState(row.progress_state or CaseState.SUBMITTED)
    return CaseState.CLOSED if content.HasField("result") and state not in RATABLE else state


def _traveling(wanted: pb.Rating, rater: str, now: datetime) -> exchange.TransferRating:
    return exchange.TransferRating(
        kind=wanted.kind,
        level=wanted.level,
        channel=wanted.channel,
        comment=wanted.comment,
        rater=rater,
        indicators=wanted.indicators,
        rate_time=timestamp(now),
    )
