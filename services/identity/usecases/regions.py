"""The trust list: proposing regions, beginning, suspending and ending the trust, changing the pinned keys."""

from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from google.protobuf.message import Message

from libs.crypto.errors import CryptoError
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.extensions import KeyUsage
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, reasons, state_conflict
from libs.rpc.call import current_call
from libs.security.withdrawals import party_of_region
from services.identity.convert.regions import direction_of, region_message
from services.identity.domain import regions as domain
from services.identity.domain.approval import approved_by, asked_by, holds
from services.identity.store import regions as store
from services.identity.store.reading import Page
from services.identity.tables import regions
from services.identity.tokens.jwk import checked_keys
from services.identity.usecases.acting import require_trust
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import region_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources

Change = Callable[[Row], domain.State]
Told = Callable[[resources.Region], Message]
_NOT_RESUMING: dict[str, Any] = {"resuming": "", "resume_backers": []}
"""Nobody's wish to take the trust up again outlives a suspension, an end, or a resumption."""


class TrustList:
    """Use cases of RegionService."""

    def __init__(self, uow: UnitOfWork, database: Database, region: str, tokens: TokenWithdrawals) -> None:
        self._tokens = tokens
        self._uow = uow
        self._database = database
        self._region = region

    async def propose(self, command: Command, code: str, region: resources.Region) -> resources.Region:
        """Enters a region; nothing passes yet."""
        if code == self._region:
            raise reasons.region_mismatch("a region does not trust itself", region=code)
        human = current_call().actor.human
        values = _anchor(region.anchor, "region.anchor") | {
            "pending": None,
            "backers": list(asked_by(human)),
            **_NOT_RESUMING,
            "display_name": region.display_name,
            "max_assurance": region.max_assurance,
            "state": domain.State.PROPOSED.value,
            "state_reason": "",
            "activate_time": None,
        }

        async def work(tx: Transaction) -> resources.Region:
            dated = values | {"state_time": tx.now, "create_time": tx.now, "update_time": tx.now}
            before = await store.find_region(tx.connection, code, lock=True)
            if not domain.may_propose(domain.State(before.state) if before else None):
                raise reasons.resource_exists("the region is on the list", resource=f"regions/{code}")
            if before is None:
                row = await rows.insert(tx.connection, regions, dated | {"id": code})
            else:
                row = await rows.update(tx.connection, regions, code, dated)
            name = f"regions/{code}"
            tx.emit(name, events.RegionProposed(region=name))
            return region_message(row)

        return await self._uow.run(command, work)

    async def activate(self, command: Command, request: pb.ActivateRegionRequest) -> resources.Region:
        """Stands behind the trust, which begins in both directions with the second human being."""
        principal = current_call().actor

        async def work(tx: Transaction) -> resources.Region:
            row = await self._lock(tx, request)
            state = domain.activate(request.name, domain.State(row.state))
            backers = approved_by(row.backers, principal.human, actor_kind=principal.kind)
            if not holds(backers):
                return await self._backed(tx, row, backers)
            row = await rows.update(
                tx.connection,
                regions,
                row.id,
                {
                    "state": state.value,
                    "state_time": tx.now,
                    "activate_time": tx.now,
                    "backers": [],
                    "update_time": tx.now,
                },
            )
            await self._let_in(tx, row)
            tx.emit(request.name, events.RegionActivated(region=request.name))
            return region_message(row)

        return await self._uow.run(command, work)

    async def _backed(self, tx: Transaction, row: Row, backers: Sequence[str]) -> resources.Region:
        """Keeps who stands behind what waits."""
        row = await rows.update(tx.connection, regions, row.id, {"backers": list(backers), "update_time": tx.now})
        return region_message(row)

    async def suspend(self, command: Command, request: pb.SuspendRegionRequest) -> resources.Region:
        """Suspends the trust in one direction or both."""

        def change(row: Row) -> domain.State:
            state, direction = domain.State(row.state), direction_of(request.direction)
            # Where it is suspended already, but somebody wants to take it up again, that is refused.
            waits = domain.Direction[row.resuming] if row.resuming else domain.NOTHING
            if waits & direction and not domain.open_ways(state) & direction:
                return state
            return domain.suspend(request.name, state, direction)

        def told(region: resources.Region) -> Message:
            return events.RegionSuspended(region=request.name, state=region.state, reason=request.reason)

        return await self._change(command, request, change, told)

    async def resume(self, command: Command, request: pb.ResumeRegionRequest) -> resources.Region:
        """Stands behind taking the trust up again in one direction or both; the second human being lets it take effect."""
        principal, direction = current_call().actor, direction_of(request.direction)

        async def work(tx: Transaction) -> resources.Region:
            row = await self._lock(tx, request)
            state = domain.resume(request.name, domain.State(row.state), direction)
            before = row.resume_backers if row.resuming == direction.name else ()
            backers = approved_by(before, principal.human, actor_kind=principal.kind)
            change = _NOT_RESUMING | {"state": state.value, "state_reason": request.reason, "state_time": tx.now}
            if not holds(backers):
                change = {"resuming": direction.name, "resume_backers": list(backers)}
            row = await rows.update(tx.connection, regions, row.id, change | {"update_time": tx.now})
            await self._let_in(tx, row)
            message = region_message(row)
            tx.emit(
                request.name,
                events.RegionResumed(region=request.name, state=message.state),
            )
            return message

        return await self._uow.run(command, work)

    async def end(self, command: Command, request: pb.EndRegionRequest) -> resources.Region:
        """Ends the trust for ever."""

        def told(_: resources.Region) -> Message:
            return events.RegionEnded(region=request.name, reason=request.reason)

        def change(row: Row) -> domain.State:
            return domain.end(request.name, domain.State(row.state))

        return await self._change(command, request, change, told)

    async def _change(self, command: Command, request: Any, change: Change, told: Told) -> resources.Region:
        """Changes the state of the region that ``request`` names, and tells it."""

        async def work(tx: Transaction) -> resources.Region:
            row = await self._lock(tx, request)
            row = await rows.update(
                tx.connection,
                regions,
                row.id,
                _NOT_RESUMING
                | {
                    "state": change(row).value,
                    "state_reason": request.reason,
                    "state_time": tx.now,
                    "update_time": tx.now,
                },
            )
            await self._let_in(tx, row)
            message = region_message(row)
            tx.emit(request.name, told(message))
            return message

        return await self._uow.run(command, work)

    async def _let_in(self, tx: Transaction, row: Row) -> None:
        """Refuses the tokens that came by the region's word where it counts no more, and takes them where it does."""
        open_ways = domain.open_ways(domain.State(row.state))
        change = self._tokens.restore if domain.Direction.INBOUND in open_ways else self._tokens.withdraw
        await change(tx, party_of_region(row.id))

    async def _lock(self, tx: Transaction, request: Any) -> Row:
        row = await store.region(tx.connection, request.name, lock=True)
        check_etag(request.name, row.version, request.etag)
        return row

    async def set_keys(self, command: Command, request: pb.SetRegionKeysRequest) -> resources.Region:
        """Replaces a region's anchor as a whole; where the trust has begun, with the second human being."""
        anchor = _anchor(request.anchor, "anchor")
        backers = list(asked_by(current_call().actor.human))

        async def work(tx: Transaction) -> resources.Region:
            row = await self._lock(tx, request)
            domain.check_rekey(request.name, domain.State(row.state))
            waits = row.state != domain.State.PROPOSED
            change = {"pending": request.anchor.SerializeToString()} if waits else anchor
            row = await rows.update(
                tx.connection,
                regions,
                row.id,
                change
                | {
                    "backers": backers,
                    "update_time": tx.now,
                },
            )
            tx.emit(request.name, events.RegionRekeyed(region=request.name))
            return region_message(row)

        return await self._uow.run(command, work)

    async def approve_keys(self, command: Command, request: pb.ApproveRegionKeysRequest) -> resources.Region:
        """Stands behind a new anchor, which takes the old one's place with the second human being."""
        principal = current_call().actor

        async def work(tx: Transaction) -> resources.Region:
            row = await self._lock(tx, request)
            domain.check_rekey(request.name, domain.State(row.state))
            if row.pending is None:
                raise state_conflict(request.name, row.state)
            backers = approved_by(row.backers, principal.human, actor_kind=principal.kind)
            if not holds(backers):
                return await self._backed(tx, row, backers)
            anchor = _anchor(resources.RegionAnchor.FromString(row.pending), "anchor")
            row = await rows.update(
                tx.connection,
                regions,
                row.id,
                anchor
                | {
                    "pending": None,
                    "backers": [],
                    "update_time": tx.now,
                },
            )
            tx.emit(request.name, events.RegionRekeyed(region=request.name))
            return region_message(row)

        return await self._uow.run(command, work)

    async def get(self, name: str) -> resources.Region:
        """Reads a region of the list."""
        async with self._database.read() as connection:
            return region_message(await store.region(connection, name))

    async def list(self, request: pb.ListRegionsRequest) -> pb.ListRegionsResponse:
        """Lists regions by code."""
        page = Page(request, "")
        state = resources.RegionState.Name(request.state).removeprefix("REGION_STATE_") if request.state else ""
        async with self._database.read() as connection:
            found = await store.list_regions(connection, state=state, after=page.after[0], limit=page.limit)
        shown = page.cut(found, lambda row: (row.id,))
        return pb.ListRegionsResponse(regions=map(region_message, shown), next_page_token=page.next_page_token)

    async def require_inbound(self, code: str) -> None:
        """Raises PermissionDenied REGION_NOT_TRUSTED unless a region's tokens may be used here now."""
        async with self._database.read() as connection:
            await require_trust(connection, code, domain.Direction.INBOUND)

    async def resolve(self, request: pb.ResolveRegionRequest) -> resources.Region:
        """Reads a region if the trust holds now in the direction asked for."""
        code = request.name.removeprefix("regions/")
        async with self._database.read() as connection:
            return region_message(await require_trust(connection, code, direction_of(request.direction)))


def _anchor(anchor: resources.RegionAnchor, field: str) -> dict[str, Any]:
    """Checks an anchor and returns its columns."""
    return {
        "gateway_url": anchor.gateway_url,
        "issuer": anchor.issuer,
        "jwks": checked_keys(anchor.jwks, f"{field}.jwks"),
        "root_certificate": _root(anchor.root_certificate, f"{field}.root_certificate"),
        "tls_authorities": _authorities(anchor.tls_authorities, f"{field}.tls_authorities"),
    }


def _root(content: bytes, field: str) -> bytes:
    """Reads a root: the region's own word for itself, not some certificate that its root once signed."""
    try:
        known = Certificate.from_pem(content) if content.startswith(b"-----") else Certificate.parse(content)
    except CryptoError as error:
        raise invalid_field(field, "certificate", "is no SM2 certificate in DER or PEM") from error
    if not known.is_ca or not known.allows(KeyUsage.KEY_CERT_SIGN) or known.issuer_der != known.subject_der:
        raise invalid_field(field, "root", "is no root: it must be a CA's own, issued by itself")
    return known.der


def _authorities(content: bytes, field: str) -> bytes:
    if content:
        try:
            x509.load_pem_x509_certificates(content)
        except ValueError as error:
            raise invalid_field(field, "certificate", "holds no PEM certificates") from error
    return content
