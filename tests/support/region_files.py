"""Files of regions as `./run trust show` makes them, of regions that nobody runs."""

from datetime import UTC, datetime
from typing import Any

from joserfc.jwk import ECKey

from deploy.local import region_file
from deploy.local.region_file import RegionFile
from libs.crypto.provider import SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import DistinguishedName, Validity, make_root
from tongban.identity.v1 import resources_pb2 as pb


def root_of(region: str) -> bytes:
    """A root of its own."""
    signer = SoftwareSigner(default_provider(), default_provider().sm2_generate())
    validity = Validity.days(datetime(2024, 1, 1, tzinfo=UTC), 1000)
    return make_root(signer, DistinguishedName(f"Tongban {region} SM2 Root"), validity).der


def anchor_of(region: str, root: bytes = b"") -> pb.RegionAnchor:
    """An anchor with a token key of its own, and a root of its own where none is given."""
    public: dict[str, Any] = ECKey.generate_key("P-256", private=False).as_dict(private=False)
    key = pb.JsonWebKey(kid="1", kty="EC", alg="ES256", use="sig", crv="P-256", x=public["x"], y=public["y"])
    return pb.RegionAnchor(
        gateway_url=f"http://{region}.example:8080",
        issuer=f"https://{region}.example",
        jwks=pb.JsonWebKeySet(keys=[key]),
        root_certificate=root or root_of(region),
    )


def file_of(region: str, name: str = "常州市天宁区", anchor: pb.RegionAnchor | None = None) -> RegionFile:
    """A region's file; each is another."""
    codes = [pb.RegionCode(code="320402")]
    said = pb.Region(name=f"regions/{region}", display_name=name, anchor=anchor or anchor_of(region), codes=codes)
    return region_file.written(said)


def listed_as(
    region: pb.Region, state: pb.RegionState.ValueType = pb.REGION_STATE_PROPOSED, **changes: Any
) -> pb.Region:
    """A region as it stands on the trust list, with one person behind it."""
    found = pb.Region()
    found.CopyFrom(region)
    found.MergeFrom(pb.Region(state=state, etag="seen", approvals=1, **changes))
    return found
