"""Validating seals and sealed documents with what this region knows of them."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace

from libs.access.actor import Actor
from libs.clock import Clock
from libs.crypto.provider import SmProvider
from libs.crypto.sm3 import sm3
from libs.crypto.x509 import Certificate, Crl, TrustPolicy
from libs.errors import TongbanError
from libs.workers import Pool, Share, Stop
from services.seal.authority import Authority
from services.seal.convert import report_message
from services.seal.domain.seals import SealState
from services.seal.domain.status import RegisteredSeal
from services.seal.ses import ParsedSeal, ParsedSignature
from services.seal.ses_steps import Checks, RecordsUnreachable
from services.seal.store.seals import SealStore
from services.seal.trust import Trust
from services.seal.usecases.revocation import Revocation
from services.seal.validation import Report, validate_document, validate_seal
from tongban.seal.v1 import validation_service_pb2 as pb

_OUR_SEAL_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ANSWER_SECONDS = 5.0
_WAITING = 32


class Validations:
    """Use cases of ValidationService."""

    def __init__(
        self,
        store: SealStore,
        authority: Authority,
        revocation: Revocation,
        provider: SmProvider,
        pool: Pool,
        clock: Clock,
        stamp_roots: tuple[Certificate, ...],
    ) -> None:
        self._store = store
        # No list is at hand of what authorities of others have revoked: the operator takes a root away.
        self._stamps = TrustPolicy(stamp_roots, require_crl=False)
        self._authority = authority
        self._revocation = revocation
        self._provider = provider
        self._pool = pool
        self._clock = clock
        # Who shows a token has a place of their own; the public (and the licence service on its behalf) shares the rest.
        self._known = Share(pool.workers, _WAITING)
        self._anyone = Share(max(1, pool.workers - 1), _WAITING)

    async def document(self, actor: Actor, data: bytes) -> pb.ValidationReport:
        """Validates every seal of an OFD file; raises FIELD_INVALID for one that is too much to read."""
        return await self._report(actor, validate_document, data)

    async def seal(self, actor: Actor, data: bytes) -> pb.ValidationReport:
        """Validates a lone seal."""
        return await self._report(actor, validate_seal, data)

    async def _report(
        self, actor: Actor, validate: Callable[[bytes, Checks], Report], data: bytes
    ) -> pb.ValidationReport:
        async with self._known if actor.token else self._anyone:
            checks = await self._checks()

            def work(stop: Stop) -> Report:
                return validate(data, replace(checks, stop=stop))

            return report_message(await self._pool.run_while_wanted(work))

    async def _checks(self) -> Checks:
        # The authority is trusted because it is here: no list of the root's tells of its revocation.
        anchors = (self._authority.certificate, self._authority.root)
        trust = Trust(TrustPolicy(anchors, await self._lists()), self._provider, stamps=self._stamps)
        records = _Records(self._store, asyncio.get_running_loop())
        return Checks(trust.verify, trust.chain, records, self._clock.now(), trust.time_stamp)

    async def _lists(self) -> tuple[Crl, ...]:
        """Returns the CRL; without one the report says TRY_LATER, which is an answer too."""
        try:
            return (await self._revocation.current(),)
        except TongbanError:
            return ()


class _Records:
    """This region's records for the validating thread: asks the database through the event loop."""

    def __init__(self, seals: SealStore, loop: asyncio.AbstractEventLoop) -> None:
        self._seals = seals
        self._loop = loop
        self._is_away = False

    def find(self, seal: ParsedSeal, signature: ParsedSignature | None) -> tuple[RegisteredSeal, bool] | None:
        """Reads the seal that is registered under the same esID, and looks for this use of it, in one query."""
        if not _OUR_SEAL_ID.fullmatch(seal.seal_id):
            return None
        if self._is_away:
            # Once is enough: a document may hold fifty seals, and each would wait as long.
            raise RecordsUnreachable
        digest, value = (sm3(signature.tbs_raw), signature.signature) if signature else (b"", b"")
        question = self._seals.registered(seal.seal_id, digest, value)
        asked = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            row = asked.result(_ANSWER_SECONDS)
        except (TongbanError, FutureTimeout) as error:
            asked.cancel()
            self._is_away = True
            raise RecordsUnreachable from error
        if row is None:
            return None
        known = RegisteredSeal(row.structure, SealState(row.state), row.make_time, row.revoke_time)
        return known, row.is_recorded
