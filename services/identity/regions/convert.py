"""Regions as messages, and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Any

from cryptography import x509

from libs.crypto.errors import CryptoError
from libs.crypto.x509.certificate import Certificate
from libs.crypto.x509.extensions import KeyUsage
from libs.db.etag import etag_of
from libs.errors import invalid_field
from libs.rpc.messages import Names, date_message, date_of, timestamp
from services.identity.core.client_rules import Keys
from services.identity.core.jwk import checked_keys, jwks_message
from services.identity.core.regions import ListedRegion
from services.identity.core.trust import NOTHING, ListedCode, TrustDirection, TrustGrade, TrustState, TrustTerms
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

STATES, WAYS, GRADES = Names(pb.RegionState), Names(pb.TrustState), Names(pb.TrustGrade)
_KINDS = Names(options_pb2.ActorKind)
_DIRECTIONS = Names(pb.TrustDirection)


@dataclass(frozen=True, slots=True)
class CheckedAnchor:
    """What is pinned for a region, checked."""

    gateway_url: str
    issuer: str
    jwks: Keys
    root_certificate: bytes
    tls_authorities: bytes
    code_keys: Keys

    def columns(self) -> dict[str, Any]:
        """Returns it by the names of a region's columns."""
        return {name: getattr(self, name) for name in self.__slots__}


def direction_of(*values: pb.TrustDirection.ValueType) -> TrustDirection:
    """Returns what the rules call one or more directions."""
    return reduce(or_, (TrustDirection[_DIRECTIONS.name(value)] for value in values), NOTHING)


def terms_of(direction: str, given: pb.RegionTrust) -> dict[str, Any]:
    """Returns what a proposal says that passes one way, by the names of a region's columns."""
    return {
        f"{direction}_max_assurance": given.max_assurance,
        f"{direction}_min_assurance": given.min_assurance,
        f"{direction}_actor_kinds": frozenset(map(_KINDS.name, given.actor_kinds)),
        f"{direction}_grade": TrustGrade(GRADES.name(given.grade)) if given.grade else TrustGrade.FULL,
    }


def _trust_message(state: TrustState, terms: TrustTerms) -> pb.RegionTrust:
    return pb.RegionTrust(
        state=WAYS.number(state.value),
        max_assurance=terms.max_assurance,
        min_assurance=terms.min_assurance,
        actor_kinds=sorted(map(_KINDS.number, terms.actor_kinds)),
        grade=GRADES.number(terms.grade.value),
    )


def _ways(named: str) -> list[pb.TrustDirection.ValueType]:
    return [_DIRECTIONS.number(str(each.name)) for each in (TrustDirection[named] if named else NOTHING)]


def region_message(row: ListedRegion) -> pb.Region:
    """Builds a region's message."""
    anchor = pb.RegionAnchor(
        gateway_url=row.gateway_url,
        issuer=row.issuer,
        jwks=jwks_message(row.jwks),
        root_certificate=row.root_certificate,
        tls_authorities=row.tls_authorities,
        code_keys=jwks_message(row.code_keys) if row.code_keys else None,
    )
    return pb.Region(
        pending_anchor=pb.RegionAnchor.FromString(row.pending) if row.pending else None,
        approvals=len(row.backers),
        name=row.name,
        display_name=row.display_name,
        anchor=anchor,
        inbound=_trust_message(row.inbound_state, row.inbound),
        outbound=_trust_message(row.outbound_state, row.outbound),
        resuming=_ways(row.resuming),
        resuming_changes=row.resuming_changes,
        state=STATES.number(row.state.value),
        state_reason=row.state_reason,
        activate_time=timestamp(row.activate_time),
        state_time=timestamp(row.state_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
        codes=code_messages(row.codes),
    )


def codes_of(codes: Iterable[pb.RegionCode], field: str) -> tuple[ListedCode, ...]:
    """Returns the codes that a request names; raises FIELD_INVALID for a date that there is not."""
    return tuple(
        ListedCode(
            each.code,
            _day(each.start_date, f"{field}[{place}].start_date") if each.HasField("start_date") else "",
            _day(each.end_date, f"{field}[{place}].end_date") if each.HasField("end_date") else "",
        )
        for place, each in enumerate(codes)
    )


def _day(given: common_pb2.Date, field: str) -> str:
    return date_of(given, field).isoformat()


def code_messages(codes: Iterable[ListedCode]) -> list[pb.RegionCode]:
    """Returns codes as messages."""
    return [_code_message(each) for each in codes]


def _code_message(code: ListedCode) -> pb.RegionCode:
    begin, end = (date.fromisoformat(each) if each else None for each in (code.begin, code.end))
    return pb.RegionCode(code=code.code, start_date=date_message(begin), end_date=date_message(end))


def checked_anchor(anchor: pb.RegionAnchor, field: str) -> CheckedAnchor:
    """Checks an anchor; raises FIELD_INVALID."""
    return CheckedAnchor(
        anchor.gateway_url,
        anchor.issuer,
        checked_keys(anchor.jwks, f"{field}.jwks"),
        _root(anchor.root_certificate, f"{field}.root_certificate"),
        _authorities(anchor.tls_authorities, f"{field}.tls_authorities"),
        _code_keys(anchor, field),
    )


def _code_keys(anchor: pb.RegionAnchor, field: str) -> Keys:
    """Reads the keys of personal codes, which has none of another purpose: one that also signs assertions would sign both."""
    keys = checked_keys(anchor.code_keys, f"{field}.code_keys")
    for place, key in enumerate(keys):
        if key["kty"] != "EC":
            raise invalid_field(
                f"{field}.code_keys.keys[{place}].kty", "code_keys.kty", "must be EC: codes are signed by ES256"
            )
        if any(key["x"] == each.x for each in anchor.jwks.keys if each.x):
            raise invalid_field(f"{field}.code_keys.keys[{place}]", "code_keys.purpose", "signs assertions too")
    return keys


def _root(content: bytes, field: str) -> bytes:
    """Reads a root: the region's own word for itself, not some certificate that its root once signed."""
    try:
        known = Certificate.from_pem(content) if content.startswith(b"-----") else Certificate.parse(content)
    except CryptoError as error:
        raise invalid_field(field, "certificate", "is no SM2 certificate in DER or PEM") from error
    if not known.is_ca or not known.allows(KeyUsage.KEY_CERT_SIGN) or known.issuer_der != known.subject_der:
        raise invalid_field(field, "root", "is no root: it must be a CA's own, issued by itself")
    return known.der


def _authorities(content: bytes, field: str) -> bytes:
    if content:
        try:
            x509.load_pem_x509_certificates(content)
        except (ValueError, x509.InvalidVersion) as error:
            raise invalid_field(field, "certificate", "holds no PEM certificates") from error
    return content
