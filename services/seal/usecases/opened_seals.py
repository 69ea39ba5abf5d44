"""Seals opened for use: what of them never changes is kept in memory, bounded in number."""

from collections import OrderedDict
from dataclasses import dataclass

from services.seal.store.seals import SealStore


@dataclass(frozen=True, slots=True)
class OpenedSeal:
    """What of a seal never changes.

    Attributes:
        identifier: its UUID.
        structure: the SESeal, DER.
        certificate: the signer's DER certificate.
        certificate_id: the UUID of its resource.
        key_name: the signer's key.
        key_version: its version.
    """

    identifier: str
    structure: bytes
    certificate: bytes
    certificate_id: str
    key_name: str
    key_version: int

    @property
    def name(self) -> str:
        """The resource name."""
        return f"seals/{self.identifier}"


class OpenedSeals:
    """The most recently used ones; whether a seal may be used stands in the database alone."""

    def __init__(self, store: SealStore, size: int) -> None:
        """Takes the store, and how many seals may be kept."""
        self._store = store
        self._size = size
        self._kept: OrderedDict[str, OpenedSeal] = OrderedDict()

    async def open(self, name: str) -> OpenedSeal:
        """Returns the seal; raises NotFound."""
        identifier = name.removeprefix("seals/")
        seal = self._kept.get(identifier) or await self._read(identifier)
        self._kept[identifier] = seal
        self._kept.move_to_end(identifier)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return seal

    async def _read(self, identifier: str) -> OpenedSeal:
        row = await self._store.opened(identifier)
        return OpenedSeal(identifier, row.structure, row.der, row.certificate, row.key_name, row.key_version)
