"""StaffService about the certificates by which staff serve people at windows (窗口人员上岗证)."""

from libs.civil.calendar import local_day
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.query import Query, Update
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, reasons
from libs.rpc.call import Call
from libs.rpc.messages import date_of
from services.identity.core.names import id_of
from services.identity.core.parts import Parts
from services.identity.core.staff import IN_OFFICE, StaffMember, given_to
from services.identity.core.staff_messages import certification_message, staff_message
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb

_UPDATE = Update(StaffMember)
_LOCK = Query(StaffMember, "SELECT {columns} FROM staff WHERE id = CAST(:id AS uuid) FOR UPDATE")


class CertificationApi:
    """Enters certificates of staff."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def certify_staff(self, request: pb.CertifyStaffRequest, call: Call) -> resources.Staff:
        """Enters a certificate, or the next one."""
        asked = request.certification
        last = date_of(asked.expire_date, "certification.expire_date")

        async def work(tx: Transaction) -> resources.Staff:
            row = await _LOCK.first(tx.connection, id=id_of(request.name))
            if row is None:
                raise not_found(request.name)
            call.actor.require_impartial(f"persons/{row.person}")
            check_etag(request.name, row.version, request.etag)
            if row.state != IN_OFFICE:
                raise reasons.staff_not_active("the member of staff has left", staff=row.name)
            if last < local_day(tx.now):
                raise invalid_field("certification.expire_date", "certification.over", "is over")
            row = await _UPDATE.one(
                tx.connection,
                row.id,
                certificate_number=asked.number,
                certificate_expire_date=last,
                update_time=tx.now,
            )
            tx.emit(row.name, events.StaffCertified(staff=row.name, certification=certification_message(row)))
            given = await given_to(tx.connection, [row.id], tx.now)
            return staff_message(row, given, self._parts.cipher)

        return await self._parts.uow.run(command_of(request, call=call), work)
