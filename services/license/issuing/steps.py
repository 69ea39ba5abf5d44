"""Issuing a licence in three steps, so that a crash between them loses nothing and doubles nothing.

1. The intent: identifier, number and the digest of the exact bytes are committed as a DRAFT.
2. The seal service seals those bytes, outside of any transaction, under a request_id derived from the licence.
3. The result is committed: state ISSUED, event ``license.issued``.

What stopped between 1 and 3 is taken up by a repeat of the request or of the event, or by the sweeper: it draws the same
bytes again and goes on at step 2. A lasting refusal of the seal service voids the draft; its number is not given again.
Where a seal has ended that nobody named, but this service chose, the department's seal in force takes its place.
"""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.db.command import Command
from libs.db.uow import Transaction, derived_request_id
from libs.documents.store import digest_of
from libs.errors import AlreadyExists, FailedPrecondition, NotFound, TongbanError, reasons, state_conflict
from libs.observability.logs import logger
from services.license.core.licenses import OFD, License, lock, opened
from services.license.core.lifecycle import LicenseState
from services.license.core.messages import license_message, named
from services.license.core.parts import Parts
from services.license.integrations.seal import ENDED, SELF
from services.license.issuing.drafting import Drafting, Marks
from services.license.issuing.rules import is_lasting
from services.license.issuing.store import ADD, FROM_DRAFT, IssuingStore
from services.license.issuing.telling import tell_issued, tell_refused, tell_voided
from services.license.rendering.service import Renderer, page_of, seal_center
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

_log = logger(__name__)
PURPOSE_CODE, PURPOSE = "LICENSE_ISSUING", "颁发证照"


class DraftGivenUp(Exception):
    """A draft was voided; ``cause`` is the refusal that ended it."""

    def __init__(self, cause: TongbanError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class IssuingSteps:
    """The three steps, and what ends them before their time."""

    def __init__(self, parts: Parts, store: IssuingStore, drafting: Drafting, renderer: Renderer, at_once: int) -> None:
        self._parts = parts
        self._store = store
        self._drafting = drafting
        self._renderer = renderer
        self._slots = asyncio.Semaphore(at_once)

    async def issue(
        self, command: Command, order: pb.IssueLicenseRequest, marks: Marks | None = None
    ) -> resources.License:
        """Issues a licence, once per ``command``; raises what ``Drafting.draw_up`` and the seal service refuse with, too.

        With ``marks`` a licence that was issued on the order once and is known no more is made again, with the same name,
        identifier, number and page. The seal service answers its sealing again where it still keeps that.

        Raises:
            DraftGivenUp: an error has ended the draft for good.
            AlreadyExists: LICENSE_ALREADY_ISSUED; RESOURCE_EXISTS, the number is taken.
        """
        command = replace(command, response_type=resources.License)
        stored = await self._parts.uow.stored(command)
        if isinstance(stored, resources.License):
            return self._message(await self._parts.licenses.get(stored.name))
        async with self._slots:
            draft, page = await self._begin(command, order, marks)
            if command.validate_only:  # it was drawn up and drawn, and taken back: nothing is sealed
                return self._message(draft)
            return await self.finish(command, draft, page, may_choose=not order.seal)

    def _message(self, row: License) -> resources.License:
        return license_message(row, self._parts.cipher, self._parts.home)

    async def _begin(
        self, command: Command, order: pb.IssueLicenseRequest, marks: Marks | None
    ) -> tuple[License, bytes]:
        intent = command if command.validate_only else replace(command, method=f"{command.method}:intent")
        begun = await self._parts.uow.stored(intent)
        if isinstance(begun, resources.License):
            return await self._again(begun.name)
        if marks is None:  # what was issued once is made again as it was
            await self._parts.identity.check_holders(order.holders)
        kind = await self._parts.types.kept(order.license_type)
        draft = await self._drafting.draw_up(order, kind, self._parts.clock.now(), marks)
        made: list[License] = []

        async def work(tx: Transaction) -> resources.License:
            made.append(await ADD.add(tx.connection, draft.license))
            return named(made[-1])

        try:
            answer = await self._parts.uow.run(intent, work)
        except AlreadyExists as error:
            raise await self._taken(order, error) from error
        if made and answer.name == made[-1].name:
            return made[-1], draft.page
        return await self._again(answer.name)

    async def _again(self, name: str) -> tuple[License, bytes]:
        """Takes an earlier try up: reads its row, and draws the same bytes if it is still a draft."""
        row = await self._parts.licenses.get(name)
        return row, await self.redraw(row) if row.state is LicenseState.DRAFT else b""

    async def _taken(self, order: pb.IssueLicenseRequest, error: AlreadyExists) -> AlreadyExists:
        other = await self._store.of_case(order.case, order.license_type) if order.case else None
        if other is None:
            return error
        return reasons.license_already_issued(
            f"{order.case} has yielded a licence of this type", resource=other.name, case=order.case
        )

    async def _draw(self, row: License) -> bytes:
        kind = await self._parts.types.kept(f"licenseTypes/{row.license_type}")
        return await self._renderer.draw(page_of(row, opened(row.id, row.content, self._parts.cipher), kind), OFD)

    async def redraw(self, row: License) -> bytes:
        """Draws the page of a draft again; raises Internal where it is not the one that was committed."""
        content = await self._draw(row)
        if digest_of(content) != row.page_digest:
            raise reasons.internal(f"{row.name} would be drawn differently now")
        return content

    async def finish(
        self, command: Command, row: License, page: bytes, *, may_choose: bool = False
    ) -> resources.License:
        """Takes the second and the third step for a committed draft; a licence that is finished is left as it is.

        ``may_choose`` says that the order names no seal, so that another may take the place of one that has ended.

        Raises DraftGivenUp where the draft is given up, and a TongbanError where it waits for another try.
        """
        if row.state is LicenseState.VOIDED:
            raise DraftGivenUp(state_conflict(row.name, row.state.value, LicenseState.DRAFT.value))
        if row.state is not LicenseState.DRAFT:
            return await self._commit(command, row, {})
        try:
            sealed, sealing = await self._seal(row, page)
        except TongbanError as error:
            if may_choose and error.reason in ENDED and (other := await self._under_another_seal(row)):
                return await self.finish(command, *other)
            if is_lasting(error):
                await self.void(row, error.reason)
                raise DraftGivenUp(error) from error
            raise
        file = await self._parts.documents.put(sealed, OFD)
        return await self._commit(command, row, {"ofd_digest": file.digest, "ofd_size": file.size, "sealing": sealing})

    async def _under_another_seal(self, row: License) -> tuple[License, bytes] | None:
        """Draws a draft anew for the department's seal in force; None where there is no other than the draft's."""
        try:
            seal = await self._parts.seals.seal_of(row.issuer_department, self._parts.clock.now())
        except NotFound:
            return None
        if seal.name == row.seal:
            return None
        page = await self._draw(replace(row, seal=seal.name, seal_id=seal.seal_id, seal_diameter=seal.diameter_mm))
        resealed = await self._store.reseal(row, seal, digest_of(page))
        return None if resealed is None else (resealed, page)

    async def _seal(self, row: License, page: bytes) -> tuple[bytes, str]:
        kind = await self._parts.types.kept(f"licenseTypes/{row.license_type}")
        center = seal_center(page_of(row, resources.License(), kind))
        request_id = derived_request_id("seal", row.id, str(row.seal_attempt))
        try:
            return await self._parts.seals.seal_document(request_id, row.seal, page, center, use_of(row))
        except FailedPrecondition as error:
            if error.reason != "STATE_CONFLICT":
                raise
            # The seal service will answer this attempt no more: it was voided, or its answer is no longer kept.
            await self._store.next_attempt(row)
            raise reasons.dependency_unavailable(
                "the sealing was abandoned", retry_after=1.0, dependency="seal"
            ) from error

    async def _commit(self, command: Command, row: License, result: dict[str, Any]) -> resources.License:
        kept: list[License] = []

        async def work(tx: Transaction) -> resources.License:
            kept.append(await _issued(tx, row, result))
            return named(row)

        use = command.use if command.use.purpose_code else use_of(row)
        await self._parts.uow.run(replace(command, use=use, department=row.issuer_department), work)
        return self._message(kept[-1] if kept else await self._parts.licenses.get(row.name))

    async def void(self, row: License, reason: str) -> None:
        """Gives a draft up for ``reason``; what is no draft any more is left as it is."""

        async def work(tx: Transaction) -> resources.License:
            ended = {"state": LicenseState.VOIDED, "state_reason": reason, "void_time": tx.now}
            voided = await FROM_DRAFT.first(tx.connection, row.id, **ended, **_moved(tx.now))
            if voided is not None:
                tell_voided(tx, voided)
            return named(row)

        await self._parts.uow.run(own_command("void", row), work)
        _log.warning("license voided", license=row.id, reason=reason)

    async def refuse(self, command: Command, order: pb.IssueLicenseRequest, cause: TongbanError) -> None:
        """Gives an order up that never became a draft, for ``cause``; told once, however often the event comes."""

        async def work(tx: Transaction) -> resources.License:
            tx.about = order.case
            tell_refused(tx, order, cause)
            return resources.License()

        await self._parts.uow.run(replace(command, method=f"{command.method}:refuse"), work)
        _log.warning("license refused", case=order.case, reason=cause.reason)


def _moved(now: datetime) -> dict[str, datetime]:
    return {"state_time": now, "update_time": now}


async def _issued(tx: Transaction, row: License, result: dict[str, Any]) -> License:
    done = {"state": LicenseState.ISSUED, "issue_time": tx.now, **_moved(tx.now), **result}
    issued = await FROM_DRAFT.first(tx.connection, row.id, **done) if result else None
    if issued is not None:
        tell_issued(tx, issued)
        return issued
    known = await lock(tx.connection, row.name)
    if not known.ofd_digest:
        raise state_conflict(row.name, known.state.value, LicenseState.DRAFT.value)
    return known


def use_of(row: License) -> common_pb2.UseContext:
    """Says what the seal is used for. Always the same for a licence, so that a repeated call is the same call."""
    return common_pb2.UseContext(
        purpose_code=PURPOSE_CODE,
        purpose=PURPOSE,
        case=row.case_name,
        department=row.issuer_department,
        transaction_id=derived_request_id("transaction", row.id),
    )


def own_command(step: str, row: License) -> Command:
    """Builds the command of a step that this service takes by itself."""
    return Command(
        caller=SELF,
        method=f"license:{step}",
        request_id=derived_request_id(step, row.id),
        digest=b"",
        response_type=resources.License,
        actor=SELF,
        department=row.issuer_department,
        use=use_of(row),
    )
