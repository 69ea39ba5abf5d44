"""The seal maker (制章者): its key, and the certificate under which it signs the seals that it makes."""

from contextlib import suppress
from dataclasses import dataclass

from libs.clock import Clock
from libs.crypto.provider import Signer
from libs.crypto.x509 import Certificate as CertificateFile
from libs.crypto.x509 import DistinguishedName, Profile
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.leader import turn
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import FailedPrecondition
from libs.workers import ThreadPool
from services.seal.core import certificates
from services.seal.core.authority import SealAuthority
from services.seal.core.certificates import CertificateState, IssuedCertificate, new_certificate, tell_certified
from services.seal.core.keys import OpenedKeys
from tongban.seal.v1 import resources_pb2 as resources

_KEY, _KIND, _TURN = "maker", "SEAL_MAKER", "seal:maker"
SELF = "services/seal"


@dataclass(frozen=True, slots=True)
class Maker:
    """The seal maker.

    Attributes:
        name: its certificate's resource name.
        certificate: DER.
        signer: the key.
    """

    name: str
    certificate: bytes
    signer: Signer


@dataclass(frozen=True, slots=True)
class SealMaker:
    """Knows the seal maker, and makes it where there is none that may make seals."""

    database: Database
    uow: UnitOfWork
    authority: SealAuthority
    keys: OpenedKeys
    signing: ThreadPool
    clock: Clock

    async def start(self) -> None:
        """Makes what the first start needs: the rows of root and authority and, where that still holds, the seal maker."""

        async def work(tx: Transaction) -> None:
            for kind, known in (("ROOT", self.authority.root), ("AUTHORITY", self.authority.certificate)):
                await certificates.register(tx.connection, known, kind, tx.now)

        await self.uow.step(_own_command("task:authority"), work)
        # An authority that has run out makes no seals; what was sealed is still validated, and its list given out.
        with suppress(FailedPrecondition):
            await self.get()

    async def get(self) -> Maker:
        """Returns the seal maker; makes its key and certificate where there is none that holds.

        Raises:
            FailedPrecondition: CERTIFICATE_NOT_VALID, the authority's own certificate does not hold.
            Unavailable: KEY_UNAVAILABLE.
        """
        async with self.database.read() as connection:
            known = await certificates.newest(connection, _KIND, _KEY)
        if known is None or known.state_at(self.clock.now()) is not CertificateState.VALID:
            known = await self.uow.step(_own_command("task:seal-maker"), self._make)
        return Maker(known.name, known.der, self.keys.signer(known.key_name, known.key_version))

    async def _make(self, tx: Transaction) -> IssuedCertificate:
        await turn(tx.connection, _TURN)
        known = await certificates.newest(tx.connection, _KIND, _KEY)
        if known is not None and known.state_at(tx.now) is CertificateState.VALID:
            return known
        self.authority.within(tx.now, self.authority.certificate.not_after)
        key = self.keys.ensure(_KEY) if known is None else self.keys.make(_KEY)
        certificate = await self._certified(key.name, key.version)
        made = new_certificate(certificate, _KIND, tx.now, key.name, key.version)
        await certificates.ADD.add(tx.connection, made)
        tell_certified(tx, made)
        tx.record(made.name)
        return made

    async def _certified(self, key: str, version: int) -> CertificateFile:
        whole = self.authority.certificate
        subject = DistinguishedName("电子印章制章者", organization="Tongban", identifier=f"{key}-{version}")
        public_key = self.keys.signer(key, version).public_key
        period = self.authority.within(whole.not_before, whole.not_after)
        return await self.signing.run(self.authority.issue, subject, public_key, Profile.SEAL_MAKER, period)


def _own_command(method: str) -> Command:
    return Command(SELF, method, "", b"", resources.Certificate, actor=SELF)
