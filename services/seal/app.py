"""What the seal service is made of."""

from datetime import timedelta

from libs.crypto.x509 import Certificate
from libs.db.leader import Presence
from libs.events.change_api import Followed, everybody
from libs.process import Process
from libs.process.app import App
from libs.sweeps.sweep import Sweep
from services.seal.certificates.api import CertificateApi
from services.seal.config import Config, Sealing
from services.seal.core.held import HELD
from services.seal.core.parts import Parts, parts_of
from services.seal.sealing.api import SealingApi
from services.seal.sealing.opened import OpenedSeals
from services.seal.sealing.steps import SealingSteps
from services.seal.sealing.store import SealingStore
from services.seal.sealing.worker import abandoned, left_behind
from services.seal.seals.api import SealApi
from services.seal.validation.api import ValidationApi


async def app(process: Process) -> App:
    """Makes the features on the parts of the process, and lists what they serve and do by themselves.

    What the first start needs is made here: the seal maker, and a first revocation list.
    """
    config = process.config
    assert isinstance(config, Config)
    settings = config.sealing
    parts = parts_of(process, settings.workers, settings.opened_seals)
    await parts.maker.start()
    await parts.revocation.current()
    validation = ValidationApi(parts, settings.workers, _stamp_roots(settings))
    sweep, presence = _workers(parts, settings)
    return App(
        apis={
            "SealService": [SealApi(parts)],
            "SealingService": [_sealing(parts, settings)],
            "CertificateService": [CertificateApi(parts)],
            "ValidationService": [validation],
        },
        followed={
            "seals": Followed("seal.seals.get", everybody),
            "certificates": Followed("seal.certificates.get", everybody),
        },
        workers=[sweep.run, presence.run],
        closers=[parts.signing.close, validation.close],
        held=HELD,
    )


def _sealing(parts: Parts, settings: Sealing) -> SealingApi:
    store = SealingStore(parts.database)
    steps = SealingSteps(parts, store, timedelta(seconds=settings.patience_seconds))
    return SealingApi(parts, store, steps, OpenedSeals(parts.database, settings.opened_seals))


def _workers(parts: Parts, settings: Sealing) -> tuple[Sweep, Presence]:
    patience = timedelta(seconds=settings.patience_seconds)
    backlog = abandoned(parts.uow, patience)
    sweep = Sweep(parts.database, "sealings", [backlog], settings.patience_seconds / 2)
    return sweep, Presence(parts.database, "seal", left_behind(parts.database, parts.uow, patience))


def _stamp_roots(settings: Sealing) -> tuple[Certificate, ...]:
    contents = [path.read_bytes() for path in settings.time_stamp_roots]
    return tuple(
        Certificate.from_pem(each) if each.startswith(b"-----") else Certificate.parse(each) for each in contents
    )
