"""Validating seals and sealed documents with what this region knows of them."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from datetime import datetime

from libs.clock import Clock
from libs.crypto.provider import SmProvider
from libs.crypto.x509 import Crl, TrustPolicy
from libs.errors import TongbanError
from libs.security.principal import Principal
from libs.workers import Pool, Share, Stop
from services.seal.authority import Authority
from services.seal.convert import report_message
from services.seal.domain.seals import SealState
from services.seal.domain.status import status_finding
from services.seal.domain.validation import Finding, SubIndication, indeterminate
from services.seal.ses_steps import Checks
from services.seal.store.seals import SealStore
from services.seal.trust import Trust
from services.seal.usecases.revocation import Revocation
from services.seal.validation import Report, validate_document, validate_seal
from tongban.seal.v1 import validation_service_pb2 as pb

_OUR_SEAL_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_STATUS_SECONDS = 5.0
_WAITING = 32


class Validations:
    """Use cases of ValidationService."""

    def __init__(
        self, store: SealStore, authority: Authority, revocation: Revocation, provider: SmProvider, pool: Pool,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._store = store
        self._authority = authority
        self._revocation = revocation
        self._provider = provider
        self._pool = pool
        self._clock = clock
        # Who shows a token has a place of their own; the public (and the licence service on its behalf) shares the rest.
        self._known = Share(pool.workers, _WAITING)
        self._anyone = Share(max(1, pool.workers - 1), _WAITING)

    async def document(self, principal: Principal, data: bytes) -> pb.ValidationReport:
        """Validates every seal of an OFD file; raises FIELD_INVALID for one that is too much to read."""
        return await self._report(principal, validate_document, data)

    async def seal(self, principal: Principal, data: bytes) -> pb.ValidationReport:
        """Validates a lone seal."""
        return await self._report(principal, validate_seal, data)

    async def _report(
        self, principal: Principal, validate: Callable[[bytes, Checks], Report], data: bytes
    ) -> pb.ValidationReport:
        async with self._known if principal.token else self._anyone:
            checks = await self._checks()

            def work(stop: Stop) -> Report:
                return validate(data, replace(checks, stop=stop))

            return report_message(await self._pool.run_while_wanted(work))

    async def _checks(self) -> Checks:
        # The authority is trusted because it is here: no list of the root's tells of its revocation.
        anchors = (self._authority.certificate, self._authority.root)
        trust = Trust(TrustPolicy(anchors, await self._lists()), self._provider)
        return Checks(trust.verify, trust.chain, self._status_from_thread(), self._clock.now())

    async def _lists(self) -> tuple[Crl, ...]:
        """Returns the CRL; without one the report says TRY_LATER, which is an answer too."""
        try:
            return (await self._revocation.current(),)
        except TongbanError:
            return ()

    def _status_from_thread(self) -> Callable[[str, datetime], Finding]:
        """Returns a check that the validating thread may call: it asks the database through the event loop."""
        loop = asyncio.get_running_loop()

        def status(seal_id: str, at: datetime) -> Finding:
            asked = asyncio.run_coroutine_threadsafe(self._status(seal_id, at), loop)
            try:
                return asked.result(_STATUS_SECONDS)
            except (TongbanError, FutureTimeout):
                asked.cancel()
                return indeterminate(SubIndication.TRY_LATER, "the list of seals can't be read now")

        return status

    async def _status(self, seal_id: str, at: datetime) -> Finding:
        row = await self._store.status(seal_id) if _OUR_SEAL_ID.fullmatch(seal_id) else None
        if row is None:
            return indeterminate(SubIndication.TRY_LATER, "the seal is not on this region's list")
        return status_finding(SealState(row.state), row.revoke_time, at)
