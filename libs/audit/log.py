"""A service's own log: what its records and receipts are called, and how they are made."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.access.purposes import basis_of, item_of
from libs.audit.digests import salt_of, salted
from libs.audit.records import Record, leaf_hash
from libs.crypto.sm3 import HmacSm3
from libs.db.command import Command
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import timestamp
from tongban.common.v1 import common_pb2

_ANYBODY = re.compile(r"(//[^/]+/)?(persons|organizations|documents)/[^/]+")
"""Who is told of a use; where a service knows people by their documents alone, the blind index of one stands for them."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A record ready to be stored, and the salt of its digests, which is told to whoever gets its receipt."""

    id: str
    record_time: datetime
    transaction_id: str
    object: str
    canonical: bytes
    leaf_hash: bytes
    salt: bytes = field(repr=False)
    actor: str = ""
    purpose_code: str = ""
    service_item: str = ""
    case: str = ""
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one service of one region.

    Attributes:
        service: the service's name.
        region: the region's code.
        salts: the key of the records' salts (:mod:`libs.audit.digests`); all replicas have the same.
    """

    service: str
    region: str
    salts: HmacSm3 = field(repr=False)

    def entry(
        self,
        command: Command,
        now: datetime,
        about: str,
        *,
        result: str = "OK",
        fields: Sequence[str] = (),
        record_count: int = 0,
        response_digest: bytes = b"",
        action: str = "",
        transaction_id: str = "",
        subjects: Iterable[str] = (),
    ) -> AuditEntry:
        """Builds the record of what ``command`` does.

        Args:
            command: who, why, and the digest of the request's bytes.
            now: the time of the record.
            about: the resource.
            result: ``OK`` or the reason of a refusal.
            fields: the fields that leave or were refused.
            record_count: how many records of data leave.
            response_digest: SM3 of the answer's bytes, where they are known.
            action: what was done, if it is not the command's method.
            transaction_id: one id over all regions; the command's own, or made here.
            subjects: whose data leaves, persons and organisations: they are told of it. Who reads what is their own needs not be.
        """
        identifier = uuid7()
        transaction = transaction_id or command.use.transaction_id or identifier
        salt = self.salt(identifier)
        use, (basis_kind, basis) = command.use, basis_of(command.use)
        record = Record(
            name=self._name(identifier),
            record_time=now,
            transaction_id=transaction,
            trace_id=command.trace_id,
            actor=command.actor,
            on_behalf_of=command.on_behalf_of,
            department=command.department or command.use.department,
            assurance=command.assurance,
            action=action or command.method,
            object=about,
            fields=tuple(fields),
            purpose_code=use.purpose_code,
            purpose=use.purpose,
            service_item=item_of(use),
            case=use.case,
            basis_kind=basis_kind,
            basis=basis,
            result=result,
            record_count=record_count,
            request_hash=salted(salt, command.digest),
            response_hash=salted(salt, response_digest),
        )
        told = {each for each in subjects if _ANYBODY.fullmatch(each) and each != command.actor}
        return replace(_entry(identifier, record, salt), subjects=tuple(sorted(told)))

    def again(self, record: Record, now: datetime) -> AuditEntry:
        """Builds a further record from another one: a name and a time of its own, the rest as it is.

        Its digests are the other's, under the other's salt.
        """
        identifier = uuid7()
        name = self._name(identifier)
        return _entry(identifier, replace(record, name=name, record_time=now), salt_of(self.salts, name))

    def salt(self, identifier: str) -> bytes:
        """Returns the salt of the digests of the record with this id."""
        return salt_of(self.salts, self._name(identifier))

    def receipt(self, entry: AuditEntry) -> common_pb2.Receipt:
        """Builds the receipt that the caller gets for a record."""
        return self._receipt(entry.id, entry.record_time, entry.transaction_id, entry.leaf_hash, entry.salt)

    def receipt_of(
        self, identifier: str, record_time: datetime, transaction_id: str, hashed: bytes
    ) -> common_pb2.Receipt:
        """Builds the receipt of a record that stands in the log: the one that was given when it was written."""
        return self._receipt(identifier, record_time, transaction_id, hashed, self.salt(identifier))

    def _receipt(
        self, identifier: str, record_time: datetime, transaction_id: str, hashed: bytes, salt: bytes
    ) -> common_pb2.Receipt:
        return common_pb2.Receipt(
            record=self._name(identifier),
            log=f"//{self.region}/{self.service}",
            leaf_hash=hashed,
            transaction_id=transaction_id,
            record_time=timestamp(record_time),
            hash_salt=salt,
        )

    def _name(self, identifier: str) -> str:
        return f"{self.service}/auditRecords/{identifier}"


def _entry(identifier: str, record: Record, salt: bytes) -> AuditEntry:
    canonical = record.canonical()
    return AuditEntry(
        identifier,
        record.record_time,
        record.transaction_id,
        record.object,
        canonical,
        leaf_hash(canonical),
        salt,
        record.actor,
        record.purpose_code,
        record.service_item,
        record.case,
    )
