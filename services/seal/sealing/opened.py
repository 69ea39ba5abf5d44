"""Seals opened for use: what of them never changes is kept in memory, bounded in number."""

from collections import OrderedDict
from dataclasses import dataclass

from libs.db.engine import Database
from libs.db.query import Query, joined, of
from services.seal.core.certificates import certificates
from services.seal.core.seals import found, seal_key, seals


@of(
    joined(
        id=seals.c.id,
        structure=seals.c.structure,
        certificate=certificates.c.der,
        certificate_id=certificates.c.id,
        key_name=certificates.c.key_name,
        key_version=certificates.c.key_version,
    )
)
@dataclass(frozen=True, slots=True)
class OpenedSeal:
    """What of a seal never changes.

    Attributes:
        id: its UUID.
        structure: the SESeal, DER.
        certificate: the signer's DER certificate.
        certificate_id: the UUID of its resource.
        key_name: the signer's key.
        key_version: its version.
    """

    id: str
    structure: bytes
    certificate: bytes
    certificate_id: str
    key_name: str
    key_version: int

    @property
    def name(self) -> str:
        """The resource name."""
        return f"seals/{self.id}"


_OPENED = Query(
    OpenedSeal,
    """
SELECT {columns} FROM (
  SELECT s.id, s.structure, c.der AS certificate, c.id AS certificate_id, c.key_name, c.key_version
  FROM seals AS s JOIN certificates AS c ON c.id = s.certificate WHERE s.id = CAST(:id AS uuid)
) AS opened
""",
)


class OpenedSeals:
    """The most recently used ones; whether a seal may be used stands in the database alone."""

    def __init__(self, database: Database, size: int) -> None:
        """Takes the database, and how many seals may be kept."""
        self._database = database
        self._size = size
        self._kept: OrderedDict[str, OpenedSeal] = OrderedDict()

    async def open(self, name: str) -> OpenedSeal:
        """Returns the seal; raises NotFound."""
        seal = self._kept.get(name) or await self._read(name)
        self._kept[name] = seal
        self._kept.move_to_end(name)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return seal

    async def _read(self, name: str) -> OpenedSeal:
        async with self._database.read() as connection:
            return found(await _OPENED.first(connection, id=seal_key(name)), name)
