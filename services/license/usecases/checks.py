"""Whether a licence could be issued, asked before anybody decides that it shall be."""

from libs.clock import Clock
from libs.db.command import digest_of
from services.license.convert import license_type_rules
from services.license.domain.license_type import check_published
from services.license.domain.validity import civil_date
from services.license.store.types import TypeStore
from services.license.usecases.drafting import Drafting
from tongban.license.v1 import license_service_pb2 as pb

_REMEMBERED = 10_000


class Checks:
    """Checks contents of licences as issuing does. What passed is remembered by its digest: a case asks several times."""

    def __init__(self, clock: Clock, types: TypeStore, drafting: Drafting) -> None:
        self._clock = clock
        self._types = types
        self._drafting = drafting
        self._passed: dict[bytes, None] = {}

    async def check(self, request: pb.CheckLicenseRequest) -> pb.CheckLicenseResponse:
        """Answers where it could.

        Raises:
            NotFound: RESOURCE_NOT_FOUND, the type.
            FailedPrecondition: LICENSE_TYPE_NOT_PUBLISHED.
            InvalidArgument: FIELD_INVALID, with every field that breaks a rule.
        """
        now = self._clock.now()
        kind = await self._types.kept(request.license_type.removeprefix("licenseTypes/"))
        check_published(license_type_rules(kind))
        # The day belongs to it: who was not born yesterday is today.
        known = digest_of(request) + civil_date(now).isoformat().encode()
        if known not in self._passed:
            order = pb.IssueLicenseRequest(holders=request.holders, face_fields=request.face_fields)
            await self._drafting.check(order, kind, now)
            self._remember(known)
        return pb.CheckLicenseResponse()

    def _remember(self, digest: bytes) -> None:
        self._passed[digest] = None
        if len(self._passed) > _REMEMBERED:
            self._passed.pop(next(iter(self._passed)))
