"""RegionService: the trust list. Proposing regions, beginning, suspending and ending the trust, changing the pinned keys."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from libs.civil.calendar import local_day
from libs.db.command import Command, command_of
from libs.db.uow import Transaction
from libs.errors import not_found, reasons, state_conflict
from libs.rpc.call import Call
from libs.security.withdrawals import party_of_region
from services.identity.core import regions, trust
from services.identity.core.approval import approved_by, asked_by, holds
from services.identity.core.parts import Parts
from services.identity.core.regions import ListedRegion, standing
from services.identity.core.trust import ListedCode, RegionState, RegionTrust, TrustDirection
from services.identity.regions import store
from services.identity.regions.convert import (
    CheckedAnchor,
    checked_anchor,
    code_messages,
    codes_of,
    direction_of,
    region_message,
    terms_of,
)
from services.identity.regions.rules import check_kept, checked_codes, narrowed, suspended
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import region_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources

Change = Callable[[ListedRegion], RegionTrust]
Tell = Callable[[resources.Region], Message]
_NOT_RESUMING: dict[str, Any] = {"resuming": "", "resuming_changes": False, "resume_backers": ()}
"""Nobody's wish to take the trust up again outlives a suspension, an end, or a resumption."""


class RegionApi:
    """Keeps the trust list."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def propose_region(self, request: pb.ProposeRegionRequest, call: Call) -> resources.Region:
        """Enters a region; nothing passes yet."""
        code, asked = request.region_id, request.region
        codes = checked_codes(code, codes_of(asked.codes, "region.codes"), "region.codes")
        if code == self._parts.home:
            raise reasons.region_mismatch("a region does not trust itself", region=code)
        anchor = checked_anchor(asked.anchor, "region.anchor")

        async def work(tx: Transaction) -> resources.Region:
            before = await store.find_locked(tx.connection, code)
            if not trust.may_propose(before.trust if before else None):
                raise reasons.resource_exists("the region is on the list", resource=f"regions/{code}")
            proposed = _proposed(request, codes, anchor, asked_by(call.actor.human), tx.now)
            row = await store.enter(tx.connection, proposed, known=before is not None)
            tx.emit(row.name, events.RegionProposed(region=row.name))
            return region_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def activate_region(self, request: pb.ActivateRegionRequest, call: Call) -> resources.Region:
        """Stands behind the trust, which begins in both directions with the second human being."""

        async def work(tx: Transaction) -> resources.Region:
            row = await store.lock(tx.connection, request.name, request.etag)
            begun = trust.activate(request.name, row.trust)
            backers = approved_by(row.backers, call.actor.human, actor_kind=call.actor.kind)
            if not holds(backers):
                return await _backed(tx, row, backers)
            change = standing(begun) | {"state_time": tx.now, "activate_time": tx.now, "backers": ()}
            row = await store.UPDATE.one(tx.connection, row.id, **change, update_time=tx.now)
            await self._let_in(tx, row, row)
            tx.emit(request.name, events.RegionActivated(region=request.name))
            return region_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def suspend_region(self, request: pb.SuspendRegionRequest, call: Call) -> resources.Region:
        """Suspends the trust in one direction or both, or lets only reads pass there."""
        direction, narrow = direction_of(*request.directions), narrowed if request.only_changes else suspended

        def change(row: ListedRegion) -> RegionTrust:
            return narrow(request.name, row.trust, row.resuming, direction)

        def tell(region: resources.Region) -> Message:
            return events.RegionSuspended(region=request.name, reason=request.reason, **_ways_of(region))

        region = await self._change(command_of(request, call=call), request, change, tell)
        await self._parts.withdrawals.settled()
        return region

    async def end_region(self, request: pb.EndRegionRequest, call: Call) -> resources.Region:
        """Ends the trust for ever."""

        def change(row: ListedRegion) -> RegionTrust:
            return trust.end(request.name, row.trust)

        def tell(_: resources.Region) -> Message:
            return events.RegionEnded(region=request.name, reason=request.reason)

        return await self._change(command_of(request, call=call), request, change, tell)

    async def _change(
        self, command: Command, request: pb.SuspendRegionRequest | pb.EndRegionRequest, change: Change, tell: Tell
    ) -> resources.Region:
        """Changes the state of the region that ``request`` names, and tells it."""

        async def work(tx: Transaction) -> resources.Region:
            before = await store.lock(tx.connection, request.name, request.etag)
            change_of = _NOT_RESUMING | _stands(change(before), request.reason, tx.now)
            row = await store.UPDATE.one(tx.connection, before.id, **change_of)
            await self._let_in(tx, row, before)
            message = region_message(row)
            tx.emit(request.name, tell(message))
            return message

        return await self._parts.uow.run(command, work)

    async def resume_region(self, request: pb.ResumeRegionRequest, call: Call) -> resources.Region:
        """Stands behind taking the trust up again in one direction or both; the second human being lets it take effect."""
        direction = direction_of(*request.directions)

        async def work(tx: Transaction) -> resources.Region:
            before = await store.lock(tx.connection, request.name, request.etag)
            resumed = trust.resume(request.name, before.trust, direction, changes=request.changes_too)
            wish = {"resuming": direction.name, "resuming_changes": request.changes_too}
            behind = before.resume_backers if _wishes(before) == wish else ()
            backers = approved_by(behind, call.actor.human, actor_kind=call.actor.kind)
            change = _NOT_RESUMING | _stands(resumed, request.reason, tx.now)
            if not holds(backers):
                change = wish | {"resume_backers": backers, "update_time": tx.now}
            row = await store.UPDATE.one(tx.connection, before.id, **change)
            await self._let_in(tx, row, before)
            message = region_message(row)
            tx.emit(request.name, events.RegionResumed(region=request.name, **_ways_of(message)))
            return message

        region = await self._parts.uow.run(command_of(request, call=call), work)
        await self._parts.withdrawals.settled()
        return region

    async def _let_in(self, tx: Transaction, row: ListedRegion, before: ListedRegion) -> None:
        """Refuses the tokens that came by the region's word where it counts no more, and takes them where it does.

        Where it counts for more or for less than it did, a token of before says what does not hold any more.
        """
        inbound, withdrawals = TrustDirection.INBOUND in trust.open_ways(row.trust), self._parts.withdrawals
        change = withdrawals.restore if inbound else withdrawals.withdraw
        if inbound and row.inbound_grade is not before.inbound_grade and before.inbound_state is row.inbound_state:
            change = withdrawals.narrow
        await change(tx, party_of_region(row.id))

    async def set_region_keys(self, request: pb.SetRegionKeysRequest, call: Call) -> resources.Region:
        """Replaces a region's anchor as a whole; where the trust has begun, with the second human being."""
        anchor, backers = checked_anchor(request.anchor, "anchor"), asked_by(call.actor.human)

        async def work(tx: Transaction) -> resources.Region:
            row = await store.lock(tx.connection, request.name, request.etag)
            trust.require_lasting(request.name, row.trust)
            waits = row.state is not RegionState.PROPOSED
            change = {"pending": request.anchor.SerializeToString()} if waits else anchor.columns()
            row = await store.UPDATE.one(tx.connection, row.id, **change, backers=backers, update_time=tx.now)
            tx.emit(request.name, events.RegionRekeyed(region=request.name))
            return region_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def approve_region_keys(self, request: pb.ApproveRegionKeysRequest, call: Call) -> resources.Region:
        """Stands behind a new anchor, which takes the old one's place with the second human being."""

        async def work(tx: Transaction) -> resources.Region:
            row = await store.lock(tx.connection, request.name, request.etag)
            trust.require_lasting(request.name, row.trust)
            if row.pending is None:
                raise state_conflict(request.name, row.state)
            backers = approved_by(row.backers, call.actor.human, actor_kind=call.actor.kind)
            if not holds(backers):
                return await _backed(tx, row, backers)
            anchor = checked_anchor(resources.RegionAnchor.FromString(row.pending), "anchor").columns()
            row = await store.UPDATE.one(tx.connection, row.id, **anchor, pending=None, backers=(), update_time=tx.now)
            tx.emit(request.name, events.RegionRekeyed(region=request.name))
            return region_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def set_region_codes(self, request: pb.SetRegionCodesRequest, call: Call) -> resources.Region:
        """Says which codes of GB/T 2260 a region has and had."""
        region = request.name.removeprefix("regions/")
        codes = checked_codes(region, codes_of(request.codes, "codes"), "codes")

        async def work(tx: Transaction) -> resources.Region:
            row = await store.lock(tx.connection, request.name, request.etag)
            trust.require_lasting(request.name, row.trust)
            check_kept(row.codes, codes, local_day(tx.now), "codes")
            former = row.codes
            row = await store.UPDATE.one(tx.connection, row.id, codes=codes, update_time=tx.now)
            told = {"codes": code_messages(codes), "former_codes": code_messages(former)}
            tx.emit(request.name, events.RegionRecoded(region=request.name, **told))
            return region_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_region(self, request: pb.GetRegionRequest, call: Call) -> resources.Region:
        """Gets a region of the list."""
        async with self._parts.database.read() as connection:
            found = await regions.find_region(connection, request.name.removeprefix("regions/"))
        if found is None:
            raise not_found(request.name)
        return region_message(found)

    async def list_regions(self, request: pb.ListRegionsRequest, call: Call) -> pb.ListRegionsResponse:
        """Lists regions by id."""
        async with self._parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, self._parts.pages, request)
        return pb.ListRegionsResponse(regions=map(region_message, shown), next_page_token=token)

    async def resolve_region(self, request: pb.ResolveRegionRequest, call: Call) -> resources.Region:
        """Gets a region if the trust holds now in the direction asked for."""
        code, direction = request.name.removeprefix("regions/"), direction_of(request.direction)
        async with self._parts.database.read() as connection:
            return region_message(await regions.require_trust(connection, code, direction))

    async def require_inbound(self, code: str) -> bool:
        """Says whether a region's tokens may only read here now; raises PermissionDenied REGION_NOT_TRUSTED."""
        async with self._parts.database.read() as connection:
            return (await regions.require_trust(connection, code, TrustDirection.INBOUND)).inbound.reads_only


def _proposed(
    request: pb.ProposeRegionRequest,
    codes: tuple[ListedCode, ...],
    anchor: CheckedAnchor,
    backers: tuple[str, ...],
    now: datetime,
) -> ListedRegion:
    return ListedRegion(
        id=request.region_id,
        display_name=request.region.display_name,
        state=trust.PROPOSED.state,
        state_time=now,
        create_time=now,
        update_time=now,
        codes=codes,
        backers=backers,
        **terms_of("inbound", request.region.inbound),
        **terms_of("outbound", request.region.outbound),
        **anchor.columns(),
    )


def _ways_of(region: resources.Region) -> dict[str, Any]:
    """Where the trust stands each way, as events tell it."""
    return {
        "inbound": region.inbound.state,
        "outbound": region.outbound.state,
        "inbound_grade": region.inbound.grade,
        "outbound_grade": region.outbound.grade,
    }


def _wishes(row: ListedRegion) -> dict[str, Any]:
    """What somebody wants to be taken up again, and with whom the next one must agree."""
    return {"resuming": row.resuming, "resuming_changes": row.resuming_changes}


def _stands(made: RegionTrust, reason: str, now: datetime) -> dict[str, Any]:
    return standing(made) | {"state_reason": reason, "state_time": now, "update_time": now}


async def _backed(tx: Transaction, row: ListedRegion, backers: tuple[str, ...]) -> resources.Region:
    """Keeps who stands behind what waits."""
    return region_message(await store.UPDATE.one(tx.connection, row.id, backers=backers, update_time=tx.now))
