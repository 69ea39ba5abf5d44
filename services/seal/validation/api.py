"""ValidationService: validating seals and sealed documents with what this region knows of them."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from libs.access.actor import Actor
from libs.crypto.x509 import Certificate, Crl, TrustPolicy
from libs.errors import TongbanError
from libs.rpc.call import Call
from libs.uploads.taking import TakesFile
from libs.workers import PoolShare, StopSignal, ThreadPool
from services.seal.core.parts import Parts
from services.seal.validation.convert import report_message
from services.seal.validation.documents import SealReport, validate_document, validate_seal
from services.seal.validation.lookup import RegionRecords
from services.seal.validation.steps import Checks
from services.seal.validation.store import SealRegister
from services.seal.validation.trust import CertificateTrust
from tongban.seal.v1 import validation_service_pb2 as pb

_LARGEST_DOCUMENT, _LARGEST_SEAL = 20 * 1024 * 1024, 1024 * 1024
"""Bytes of what may be brought as an upload."""
_WAITING = 32


class ValidationApi:
    """Validates what anybody brings."""

    def __init__(self, parts: Parts, workers: int, stamp_roots: tuple[Certificate, ...]) -> None:
        """Takes, besides its parts, how many threads validate, and whose time stamps are believed."""
        self._parts = parts
        self._register = SealRegister(parts.database)
        # No list is at hand of what authorities of others have revoked: the operator takes a root away.
        self._stamps = TrustPolicy(stamp_roots, require_crl=False)
        self._pool = ThreadPool(workers, "validating", returning=True)
        # Who shows a token has a place of their own; the public (and the licence service on its behalf) shares the rest.
        self._known = PoolShare(self._pool.workers, _WAITING)
        self._anyone = PoolShare(max(1, self._pool.workers - 1), _WAITING)

    async def close(self) -> None:
        """Ends the threads."""
        await self._pool.close()

    async def validate_document(self, request: pb.ValidateDocumentRequest, call: Call) -> pb.ValidationReport:
        """Validates every seal of an OFD file; raises FIELD_INVALID for one that is too much to read."""
        return await self._report(call.actor, validate_document, request, _LARGEST_DOCUMENT)

    async def validate_seal(self, request: pb.ValidateSealRequest, call: Call) -> pb.ValidationReport:
        """Validates a lone seal."""
        return await self._report(call.actor, validate_seal, request, _LARGEST_SEAL)

    async def _report(
        self, actor: Actor, validate: Callable[[bytes, Checks], SealReport], request: TakesFile, limit: int
    ) -> pb.ValidationReport:
        async with self._known if actor.token else self._anyone:
            # Within the share: what waits for its turn holds no file.
            data = await self._parts.uploads.source(request, actor, limit)
            checks = await self._checks()

            def work(stop: StopSignal) -> SealReport:
                return validate(data, replace(checks, stop=stop))

            return report_message(await self._pool.run_while_wanted(work))

    async def _checks(self) -> Checks:
        parts = self._parts
        # The authority is trusted because it is here: no list of the root's tells of its revocation.
        anchors = (parts.authority.certificate, parts.authority.root)
        trust = CertificateTrust(TrustPolicy(anchors, await self._lists()), parts.provider, stamps=self._stamps)
        records = RegionRecords(self._register, asyncio.get_running_loop())
        return Checks(trust.verify, trust.chain, records, parts.clock.now(), trust.time_stamp)

    async def _lists(self) -> tuple[Crl, ...]:
        """Returns the CRL; without one the report says TRY_LATER, which is an answer too."""
        try:
            return (await self._parts.revocation.current(),)
        except TongbanError:
            return ()
