"""What the license service asks of the seal service."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import grpc
from google.api import httpbody_pb2

from libs.errors import FailedPrecondition, InvalidArgument, invalid_field, not_found, reasons
from libs.rpc.client import invoke
from libs.rpc.messages import Names, timestamp
from libs.timed_cache import TimedCache
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import resources_pb2 as seals
from tongban.seal.v1 import seal_service_pb2 as seal_pb
from tongban.seal.v1 import sealing_service_pb2 as sealing_pb
from tongban.seal.v1 import validation_service_pb2 as validation_pb
from tongban.seal.v1.seal_service_pb2_grpc import SealServiceStub
from tongban.seal.v1.sealing_service_pb2_grpc import SealingServiceStub
from tongban.seal.v1.validation_service_pb2_grpc import ValidationServiceStub

SELF = "services/license"
_KEEP_SEALS_SECONDS = 5.0
_KEEP_PICTURES_SECONDS = 3600.0
_SEAL_TIMEOUT = 30.0
ENDED = ("SEAL_NOT_USABLE", "CERTIFICATE_NOT_VALID")
"""Reasons of the seal service that say that a seal has ended."""
_STATES = Names(seals.SealState)
Channel = Callable[[], grpc.aio.Channel]


@dataclass(frozen=True, slots=True)
class SealToUse:
    """The seal that a licence gets: its name, its esID, and its diameter in millimetres."""

    name: str
    seal_id: str
    diameter_mm: int


class SealService:
    """The seal service, as this service sees it; every call is the service's own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._seals: TimedCache[SealToUse] = TimedCache(_KEEP_SEALS_SECONDS)
        self._pictures: TimedCache[bytes] = TimedCache(_KEEP_PICTURES_SECONDS)

    async def seal_of(self, department: str, now: datetime) -> SealToUse:
        """Finds the department's seal in force that names this service among its users, the newest first.

        Raises NotFound RESOURCE_NOT_FOUND where there is none.
        """

        async def ask() -> SealToUse:
            async for seal in self._in_force(department):
                if _may_use(seal) and _in_force(seal, now):
                    return _to_use(seal)
            raise not_found(f"{department}/seals")

        return await self._seals.get(department, ask)

    async def _in_force(self, department: str) -> AsyncIterator[seals.Seal]:
        """Goes through the department's seals that can seal: neither they nor the certificates they hang on have ended."""
        request = seal_pb.ListSealsRequest(filter=f"owner = {department} AND state = SEAL_STATE_ACTIVE", page_size=100)
        stub = SealServiceStub(self._channel())
        while True:
            found = await invoke(stub.ListSeals, request, seal_pb.ListSealsResponse, to="seal", token="")
            for seal in found.seals:
                yield seal
            request.page_token = found.next_page_token
            if not request.page_token:
                return

    async def named(self, name: str, department: str, now: datetime) -> SealToUse:
        """Gets the seal that a request names.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: NOT_OWNER (another department's), SEAL_USE_NOT_ALLOWED.
            FailedPrecondition: SEAL_NOT_USABLE.
        """
        stub = SealServiceStub(self._channel())
        seal = await invoke(stub.GetSeal, seal_pb.GetSealRequest(name=name), seals.Seal, to="seal", token="")
        if seal.owner != department:
            raise reasons.not_owner(f"{name} is not the issuing department's")
        if not _may_use(seal):
            raise reasons.seal_use_not_allowed(f"{name} does not name {SELF} as a user", seal=name)
        if not _in_force(seal, now):
            raise reasons.seal_not_usable(f"{name} is not in force", seal=name, state=_STATES.name(seal.state))
        return _to_use(seal)

    async def seal_document(
        self, request_id: str, seal: str, document: bytes, center: tuple[float, float], use: common_pb2.UseContext
    ) -> tuple[bytes, str]:
        """Has an OFD of one page sealed; returns the sealed file and the name of the sealing.

        The same ``request_id`` with the same arguments never signs twice. Raises whatever the seal service refuses with.
        """
        x, y = center
        request = sealing_pb.SealDocumentRequest(
            request_id=request_id,
            seal=seal,
            content=document,
            media_type="application/ofd",
            use_context=use,
            placements=[sealing_pb.StampPlacement(point=sealing_pb.PagePoint(page=1, center_x_mm=x, center_y_mm=y))],
        )
        stub = SealingServiceStub(self._channel())
        try:
            answer = await invoke(
                stub.SealDocument, request, sealing_pb.SealDocumentResponse, to="seal", token="", timeout=_SEAL_TIMEOUT
            )
        except FailedPrecondition as error:
            if error.reason in ENDED:
                # What was kept of the department's choice may be this seal: the next licence asks anew.
                self.forget()
            raise
        return answer.document, answer.sealing.name

    def forget(self) -> None:
        """Forgets which seals the departments use."""
        self._seals.forget_all()

    async def picture(self, name: str) -> bytes:
        """Gets a seal's picture as PNG."""

        async def ask() -> bytes:
            request = seal_pb.GetSealPictureRequest(name=name, format=seal_pb.PICTURE_FORMAT_PNG)
            stub = SealServiceStub(self._channel())
            answer = await invoke(stub.GetSealPicture, request, httpbody_pb2.HttpBody, to="seal", token="")
            return bytes(answer.data)

        return await self._pictures.get(name, ask)

    async def holds(self, document: bytes, seal_id: str) -> bool | None:
        """Tells whether the seal with this esID stands on an OFD and holds: not where it is missing, or is another's.

        None where that can't be told now. Raises FIELD_INVALID for a document that the seal service finds too much to read.
        """
        stub, request = ValidationServiceStub(self._channel()), validation_pb.ValidateDocumentRequest(content=document)
        try:
            report = await invoke(
                stub.ValidateDocument, request, validation_pb.ValidationReport, to="seal", token="", timeout=10.0
            )
        except InvalidArgument as error:
            rule = error.violations[0].rule if error.violations else "ofd.limits"
            raise invalid_field("content", rule, "the file is too much to read") from error
        if report.conclusion == validation_pb.CONCLUSION_INDETERMINATE:
            return None
        return report.conclusion == validation_pb.CONCLUSION_TOTAL_PASSED and any(
            each.seal_id == seal_id and each.conclusion == validation_pb.CONCLUSION_TOTAL_PASSED
            for each in report.seals
        )


def _may_use(seal: seals.Seal) -> bool:
    return any(user.subject == SELF and not user.approval_needed for user in seal.users)


def _in_force(seal: seals.Seal, now: datetime) -> bool:
    moment = timestamp(now)
    assert moment is not None
    begun = seal.start_time.ToNanoseconds() <= moment.ToNanoseconds()
    lasts = not seal.HasField("end_time") or moment.ToNanoseconds() < seal.end_time.ToNanoseconds()
    return seal.state == seals.SEAL_STATE_ACTIVE and begun and lasts


def _to_use(seal: seals.Seal) -> SealToUse:
    return SealToUse(seal.name, seal.seal_id, seal.round.diameter_mm)
