"""What license holds on persons and firms, kind by kind, as they are told of it (OwnDataService)."""

from libs.owndata.holdings import HeldKind
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations

_OWN_USE = common_pb2.UseContext(purpose_code="OWN_USE")
HELD = (
    HeldKind(
        "License",
        "licenses WHERE holders @> ARRAY[CAST(:subject AS text)] AND state NOT IN ('DRAFT', 'VOIDED')",
        "license.v1.LicenseService.ListLicenses",
        lambda subject: licenses.ListLicensesRequest(holder=subject, use_context=_OWN_USE),
    ),
    HeldKind(
        "Material",
        "materials WHERE owner = :subject",
        "license.v1.MaterialService.ListMaterials",
        lambda subject: materials.ListMaterialsRequest(owner=subject),
    ),
    HeldKind(
        "Presentation",
        "presentations WHERE holder = :subject",
        "license.v1.PresentationService.ListPresentations",
        lambda subject: presentations.ListPresentationsRequest(holder=subject),
    ),
)
