"""IssueLicense and CheckLicense: what an office orders, and whether it could be had."""

from libs.access.actor import Standing
from libs.civil.calendar import local_day
from libs.db.command import command_of, digest_of
from libs.rpc.call import Call
from libs.timed_cache import TimedCache
from services.license.core.parts import Parts
from services.license.core.reading import check_issuer
from services.license.issuing.drafting import Drafting
from services.license.issuing.rules import check_published
from services.license.issuing.steps import DraftGivenUp, IssuingSteps
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

_REMEMBERED, _REMEMBER_SECONDS = 10_000, 86_400.0


class IssuingApi:
    """Has licences issued."""

    def __init__(self, parts: Parts, steps: IssuingSteps, drafting: Drafting) -> None:
        self._parts = parts
        self._steps = steps
        self._drafting = drafting
        # What passed is remembered by its digest: a case asks several times.
        self._passed: TimedCache[bool] = TimedCache(_REMEMBER_SECONDS, _REMEMBERED)

    async def issue_license(self, request: pb.IssueLicenseRequest, call: Call) -> resources.License:
        """Issues a licence; staff and clients only for their own department."""
        if call.actor.standing is not Standing.SERVICE:
            check_issuer(request.issuer.department, call.actor.department)
        call.actor.require_impartial(*(holder.subject for holder in request.holders))
        try:
            return await self._steps.issue(command_of(request, call=call), request)
        except DraftGivenUp as ended:
            raise ended.cause from ended

    async def check_license(self, request: pb.CheckLicenseRequest, call: Call) -> pb.CheckLicenseResponse:
        """Tells whether a licence of this content could be issued; checks it as issuing does."""
        now = self._parts.clock.now()
        kind = await self._parts.types.kept(request.license_type)
        check_published(kind)

        async def check() -> bool:
            order = pb.IssueLicenseRequest(holders=request.holders, face_fields=request.face_fields)
            await self._drafting.check(order, kind, now)
            return True

        # The day belongs to it: who was not born yesterday is today.
        await self._passed.get(f"{digest_of(request).hex()} {local_day(now)}", check)
        return pb.CheckLicenseResponse()
