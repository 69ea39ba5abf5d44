"""What the license service is made of."""

from libs.events.change_api import Followed, everybody
from libs.process import Process
from libs.process.app import App
from libs.sweeps.sweep import Sweep
from services.license.config import Config, Issuing
from services.license.core.held import HELD
from services.license.core.parts import Parts, parts_of
from services.license.files.api import FileApi
from services.license.issuing.api import IssuingApi
from services.license.issuing.drafting import Drafting
from services.license.issuing.steps import IssuingSteps
from services.license.issuing.store import IssuingStore
from services.license.issuing.telling import RepeatedAnswers
from services.license.issuing.worker import DecidedCases, LeftDrafts
from services.license.licenses.api import LicenseApi
from services.license.licenses.followed import FollowedLicenses
from services.license.materials.api import MaterialApi
from services.license.presentations.api import PresentationApi
from services.license.rendering.service import Renderer
from services.license.types.api import LicenseTypeApi
from services.license.uses.api import UseApi
from services.license.verification.api import VerificationApi
from tongban.cases.v1.events_pb2 import CaseLicenseOrdered


async def app(process: Process) -> App:
    """Makes the features on the parts of the process, and lists what they serve, hear and do by themselves."""
    config = process.config
    assert isinstance(config, Config)
    parts, renderer = parts_of(process), Renderer(config.issuing.render_threads)
    issuing, decided, sweep = _issuing(parts, renderer, config.issuing)
    licenses, files, verification = LicenseApi(parts), FileApi(parts, renderer), VerificationApi(parts)
    presentations, materials = PresentationApi(parts), MaterialApi(parts)
    return App(
        apis={
            "LicenseTypeService": [LicenseTypeApi(parts)],
            "LicenseService": [issuing, licenses, files],
            "VerificationService": [verification],
            "PresentationService": [presentations],
            "MaterialService": [materials],
            "UseService": [UseApi(parts)],
        },
        events={**parts.cases.events(), CaseLicenseOrdered: decided.ordered},
        followed={
            "licenses": FollowedLicenses(parts.database).rule(),
            "licenseTypes": Followed("license.licenseTypes.get", everybody),
        },
        workers=[sweep.run],
        held=HELD,
        closers=[renderer.close, verification.close],
    )


def _issuing(parts: Parts, renderer: Renderer, settings: Issuing) -> tuple[IssuingApi, DecidedCases, Sweep]:
    drafting, store = Drafting(parts, renderer), IssuingStore(parts.database)
    steps = IssuingSteps(parts, store, drafting, renderer, settings.at_once)
    drafts = LeftDrafts(parts.licenses, steps, parts.wall, settings.patience_seconds).backlog(settings.sweep_seconds)
    decided = DecidedCases(parts, steps, RepeatedAnswers(parts.uow, store))
    sweep = Sweep(parts.database, "license:sweeper", [drafts], settings.sweep_seconds)
    return IssuingApi(parts, steps, drafting), decided, sweep
