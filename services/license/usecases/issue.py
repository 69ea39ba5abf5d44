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

from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Row
from libs.db.uow import Transaction, UnitOfWork, derived_request_id
from libs.documents.store import DocumentStore, digest_of
from libs.errors import (
    AlreadyExists,
    Code,
    FailedPrecondition,
    NotFound,
    TongbanError,
    reasons,
    state_conflict,
)
from libs.observability.logs import logger
from libs.rpc.call import current_call
from services.license.clients.identity import IdentityClient
from services.license.clients.seal import ENDED, SELF, SealClient
from services.license.convert import OFD, license_message, open_content
from services.license.domain.lifecycle import State
from services.license.pages import Renderer, page_of, seal_center
from services.license.store.licenses import LicenseStore
from services.license.store.types import TypeStore
from services.license.tables import licenses
from services.license.usecases.drafting import Drafting, Told
from services.license.usecases.licenses import bare
from services.license.usecases.telling import tell_issued, tell_refused, tell_voided
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

_log = logger(__name__)
PURPOSE = "颁发证照"
# These will not go away by asking again. All others leave the draft for the sweeper.
_LASTING = frozenset({Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.FAILED_PRECONDITION})
# These say that the services are set up wrongly, which no officer can mend: an operator must.
_OF_OPERATORS = frozenset({"PEER_NOT_ALLOWED", "PERMISSION_MISSING", "ACTOR_NOT_ALLOWED", "REQUEST_ID_REUSED"})


def is_lasting(error: TongbanError) -> bool:
    """True where issuing is refused for good, by what was decided and not by how the services stand."""
    return error.code in _LASTING and error.reason not in _OF_OPERATORS


class LicenseVoided(Exception):
    """A draft was given up; ``cause`` is the refusal that ended it."""

    def __init__(self, cause: TongbanError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Issuing:
    """Issues licences."""

    def __init__(
        self,
        clock: Clock,
        uow: UnitOfWork,
        store: LicenseStore,
        types: TypeStore,
        drafting: Drafting,
        seals: SealClient,
        renderer: Renderer,
        documents: DocumentStore,
        cipher: FieldCipher,
        identity: IdentityClient,
        home: str,
        at_once: int,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._uow = uow
        self._store = store
        self._types = types
        self._drafting = drafting
        self._seals = seals
        self._renderer = renderer
        self._documents = documents
        self._cipher = cipher
        self._home = home
        self._slots = asyncio.Semaphore(at_once)

    async def issue(self, command: Command, order: pb.IssueLicenseRequest) -> resources.License:
        """Issues a licence, once per ``command``.

        Raises what ``Drafting.draw_up`` and the seal service refuse with, and:
            AlreadyExists: LICENSE_ALREADY_ISSUED; RESOURCE_EXISTS, the number is taken.
            FailedPrecondition: STATE_CONFLICT, an earlier try of this command ended in a voided draft.
            PermissionDenied: ACTING_ON_SELF.
            InvalidArgument: FIELD_INVALID, a holder does not bear the name and document of the account.
        """
        current_call().actor.require_impartial(*(holder.subject for holder in order.holders))
        try:
            return await self.attempt(command, order)
        except LicenseVoided as ended:
            raise ended.cause from ended

    async def attempt(
        self, command: Command, order: pb.IssueLicenseRequest, told: Told | None = None
    ) -> resources.License:
        """Does the same, and tells by LicenseVoided whether an error has ended the draft for good.

        ``told`` is the licence that was issued on the order once and is known no more: it is made again, with the same
        name, identifier, number and page. The seal service answers its sealing again where it still keeps that.
        """
        command = replace(command, response_type=resources.License)
        stored = await self._uow.stored(command)
        if isinstance(stored, resources.License):
            return await self._whole(stored.name)
        async with self._slots:
            row, page = await self._draft(command, order, told)
            return await self.finish(command, row, page, may_choose=not order.seal)

    async def _whole(self, name: str) -> resources.License:
        row = await self._store.get(name.removeprefix("licenses/"))
        return license_message(row, open_content(row, self._cipher), self._home)

    async def _draft(self, command: Command, order: pb.IssueLicenseRequest, told: Told | None) -> tuple[Row, bytes]:
        intent = replace(command, method=f"{command.method}:intent")
        begun = await self._uow.stored(intent)
        if isinstance(begun, resources.License):
            return await self._again(begun.name)
        if told is None:  # what was issued once is made again as it was
            await self._identity.check_holders(order.holders)
        kind = await self._types.kept(order.license_type.removeprefix("licenseTypes/"))
        draft = await self._drafting.draw_up(order, kind, self._clock.now(), told)
        made: list[Row] = []

        async def work(tx: Transaction) -> resources.License:
            made.append(await rows.insert(tx.connection, licenses, draft.columns))
            return bare(made[-1])

        try:
            answer = await self._uow.run(intent, work)
        except AlreadyExists as error:
            raise await self._taken(order, error) from error
        if made and answer.name == f"licenses/{made[-1].id}":
            return made[-1], draft.page
        return await self._again(answer.name)

    async def _again(self, name: str) -> tuple[Row, bytes]:
        """Takes an earlier try up: reads its row, and draws the same bytes if it is still a draft."""
        row = await self._store.get(name.removeprefix("licenses/"))
        return row, await self.redraw(row) if row.state == State.DRAFT.value else b""

    async def _taken(self, order: pb.IssueLicenseRequest, error: AlreadyExists) -> AlreadyExists:
        other = await self._store.of_case(order.case_name, order.license_type.removeprefix("licenseTypes/"))
        if not order.case_name or other is None:
            return error
        return reasons.license_already_issued(
            f"{order.case_name} has yielded a licence of this type",
            resource=f"licenses/{other.id}",
            case_name=order.case_name,
        )

    async def redraw(self, row: Row) -> bytes:
        """Draws the page of a draft again; raises Internal where it is not the one that was committed."""
        kind = await self._types.kept(row.license_type)
        page = page_of(row._asdict(), open_content(row, self._cipher), kind._asdict())
        content = await self._renderer.draw(page, OFD)
        if digest_of(content) != row.page_digest:
            raise reasons.internal(f"licenses/{row.id} would be drawn differently now")
        return content

    async def finish(self, command: Command, row: Row, page: bytes, *, may_choose: bool = False) -> resources.License:
        """Takes the second and the third step for a committed draft; a licence that is finished is left as it is.

        ``may_choose`` says that the order names no seal, so that another may take the place of one that has ended.

        Raises LicenseVoided where the draft is given up, and a TongbanError where it waits for another try.
        """
        if row.state == State.VOIDED.value:
            raise LicenseVoided(state_conflict(f"licenses/{row.id}", row.state, State.DRAFT.value))
        if row.state != State.DRAFT.value:
            return await self._commit(command, row, {})
        try:
            sealed, sealing = await self._seal(row, page)
        except TongbanError as error:
            if may_choose and error.reason in ENDED and (other := await self._under_another_seal(row)):
                return await self.finish(command, *other)
            if is_lasting(error):
                await self.void(row, error.reason)
                raise LicenseVoided(error) from error
            raise
        document = await self._documents.put(sealed, OFD)
        return await self._commit(
            command, row, {"ofd_digest": document.digest, "ofd_size": document.size, "sealing": sealing}
        )

    async def _under_another_seal(self, row: Row) -> tuple[Row, bytes] | None:
        """Draws a draft anew for the department's seal in force; None where there is no other than the draft's."""
        try:
            seal = await self._seals.seal_of(row.issuer_department, self._clock.now())
        except NotFound:
            return None
        if seal.name == row.seal:
            return None
        kind = await self._types.kept(row.license_type)
        columns = {"seal": seal.name, "seal_id": seal.seal_id, "seal_diameter": seal.diameter_mm}
        content = open_content(row, self._cipher)
        page = await self._renderer.draw(page_of(row._asdict() | columns, content, kind._asdict()), OFD)
        resealed = await self._store.reseal(row, {**columns, "page_digest": digest_of(page)})
        return None if resealed is None else (resealed, page)

    async def _seal(self, row: Row, page: bytes) -> tuple[bytes, str]:
        kind = await self._types.kept(row.license_type)
        center = seal_center(page_of(row._asdict(), resources.License(), kind._asdict()))
        request_id = derived_request_id("seal", row.id, str(row.seal_attempt))
        try:
            return await self._seals.seal_document(request_id, row.seal, page, center, use_of(row))
        except FailedPrecondition as error:
            if error.reason != "STATE_CONFLICT":
                raise
            # The seal service will answer this attempt no more: it was voided, or its answer is no longer kept.
            await self._store.next_attempt(row.id, row.seal_attempt)
            raise reasons.dependency_unavailable(
                "the sealing was abandoned", retry_after=1.0, dependency="seal"
            ) from error

    async def _commit(self, command: Command, row: Row, result: dict[str, str | int]) -> resources.License:
        kept: list[Row] = []

        async def work(tx: Transaction) -> resources.License:
            issued = await self._issued(tx, row, result)
            kept.append(issued)
            return bare(issued)

        use = command.use if command.use.purpose else use_of(row)
        await self._uow.run(replace(command, use=use, department=row.issuer_department), work)
        if not kept:
            return await self._whole(f"licenses/{row.id}")
        return license_message(kept[-1], open_content(kept[-1], self._cipher), self._home)

    async def _issued(self, tx: Transaction, row: Row, result: dict[str, str | int]) -> Row:
        moment = {"state": State.ISSUED.value, "issue_time": tx.now, "state_time": tx.now, "update_time": tx.now}
        issued = await self._store.leave_draft(tx.connection, row.id, {**moment, **result}) if result else None
        if issued is None:
            issued = await self._store.lock(tx.connection, row.id)
            if not issued.ofd_digest:
                raise state_conflict(f"licenses/{row.id}", issued.state, State.DRAFT.value)
            return issued
        tell_issued(tx, issued)
        return issued

    async def void(self, row: Row, reason: str) -> None:
        """Gives a draft up for ``reason``; what is no draft any more is left as it is."""

        async def work(tx: Transaction) -> resources.License:
            voided = await self._store.leave_draft(
                tx.connection,
                row.id,
                {
                    "state": State.VOIDED.value,
                    "state_reason": reason,
                    "state_time": tx.now,
                    "void_time": tx.now,
                    "update_time": tx.now,
                },
            )
            if voided is not None:
                tell_voided(tx, voided)
            return bare(row)

        await self._uow.run(own_command("void", row), work)
        _log.warning("license voided", license=row.id, reason=reason)

    async def refuse(self, command: Command, order: pb.IssueLicenseRequest, cause: TongbanError) -> None:
        """Gives an order up that never became a draft, for ``cause``; told once, however often the event comes."""

        async def work(tx: Transaction) -> resources.License:
            tx.about = order.case_name
            tell_refused(tx, order, cause)
            return resources.License()

        await self._uow.run(replace(command, method=f"{command.method}:refuse"), work)
        _log.warning("license refused", case=order.case_name, reason=cause.reason)


def use_of(row: Row) -> common_pb2.UseContext:
    """Says what the seal is used for. Always the same for a licence, so that a repeated call is the same call."""
    return common_pb2.UseContext(
        purpose=PURPOSE,
        case_name=row.case_name,
        department=row.issuer_department,
        transaction_id=derived_request_id("transaction", row.id),
    )


def own_command(step: str, row: Row) -> Command:
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
