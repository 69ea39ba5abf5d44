"""What seal holds on firms, as they are told of it (OwnDataService)."""

from libs.owndata.holdings import HeldKind
from tongban.seal.v1 import seal_service_pb2 as seals

HELD = (
    HeldKind(
        "Seal",
        "seals WHERE owner = :subject",
        "seal.v1.SealService.ListSeals",
        lambda subject: seals.ListSealsRequest(filter=f"owner = {subject}"),
        ("organizations",),
    ),
)
