"""Certificates by which clients prove who they are (RFC 8705, 2.1), as they are kept."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from libs.access.bound_keys import of_certificate


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate of a client.

    Attributes:
        der: the certificate.
        thumbprint: its SHA-256, base64url.
        subject: whose it is, as RFC 4514 writes a name.
        not_before, not_after: when it is good, by the machine's clock; both ends belong to it.
        told: so many days before its end it was last told of; 0 where it was not yet.
    """

    der: bytes
    thumbprint: str
    subject: str
    not_before: datetime
    not_after: datetime
    told: int = 0

    @property
    def bound(self) -> str:
        """What tokens say that are bound to it."""
        return of_certificate(self.thumbprint)

    def holds(self, now: datetime) -> bool:
        """Says whether it is good at ``now``."""
        return self.not_before <= now <= self.not_after

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON keeps it."""
        return {
            "der": base64.b64encode(self.der).decode(),
            "thumbprint": self.thumbprint,
            "subject": self.subject,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "told": self.told,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "ClientCertificate":
        """Reads what :meth:`to_json` gave."""
        return cls(
            base64.b64decode(kept["der"]),
            kept["thumbprint"],
            kept["subject"],
            datetime.fromisoformat(kept["not_before"]),
            datetime.fromisoformat(kept["not_after"]),
            kept["told"],
        )


def as_told(given: Iterable[ClientCertificate], before: Iterable[ClientCertificate]) -> tuple[ClientCertificate, ...]:
    """Returns the certificates ``given``, with what was told of the end of each that was there ``before``."""
    told = {each.thumbprint: each.told for each in before}
    return tuple(replace(each, told=told.get(each.thumbprint, 0)) for each in given)
