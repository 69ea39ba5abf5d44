"""What cases holds on persons and firms, kind by kind, as they are told of it (OwnDataService)."""

from libs.owndata.holdings import HeldKind
from tongban.cases.v1 import case_service_pb2 as cases
from tongban.cases.v1 import delivery_service_pb2 as deliveries
from tongban.common.v1 import common_pb2

_OWN_USE = common_pb2.UseContext(purpose_code="OWN_USE")
HELD = (
    HeldKind(
        "Case",
        "(SELECT id FROM cases WHERE applicant = :subject UNION SELECT id FROM cases WHERE agent = :subject AND agent <> '')"
        " AS mine",
        "cases.v1.CaseService.ListCases",
        lambda _subject: cases.ListCasesRequest(use_context=_OWN_USE),
    ),
    HeldKind(
        "CaseDelivery",
        "deliveries WHERE applicant = :subject",
        "cases.v1.DeliveryService.ListCaseDeliveries",
        lambda _subject: deliveries.ListCaseDeliveriesRequest(),
    ),
)
