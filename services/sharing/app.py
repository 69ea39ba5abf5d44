"""What the sharing service is made of."""

from functools import partial

from libs.access.actor import Actor
from libs.process import Process
from libs.process.app import App
from libs.sweeps.sweep import Sweep
from services.sharing.calendars.worker import CalendarFollower
from services.sharing.catalogue.api import CatalogueApi
from services.sharing.config import Config
from services.sharing.core.parts import parts_of
from services.sharing.core.subjects import subject_of
from services.sharing.data.api import DataApi
from services.sharing.data.forwarding import Forwarding
from services.sharing.data.uses import DataUses
from services.sharing.data.worker import unanswered_questions
from services.sharing.grants.api import GrantApi
from services.sharing.grants.service import UsageLedger
from services.sharing.integrations.calendar import CalendarSource
from services.sharing.integrations.identity import KnownDocuments
from services.sharing.mounts.api import MountApi
from services.sharing.mounts.service import MountWatch
from services.sharing.requests.api import RequestApi
from services.sharing.requests.followed import followed
from tongban.cases.v1.events_pb2 import CalendarImported

_SWEEP_SECONDS = 30.0


async def app(process: Process) -> App:
    """Makes the features on the parts of the process, and lists what they serve and do by themselves."""
    config = process.config
    assert isinstance(config, Config)
    parts = parts_of(process, config)
    ledger = UsageLedger(parts.database, parts.clock)
    data = DataApi(parts, DataUses(parts, ledger, MountWatch(parts)), Forwarding(parts))
    documents = KnownDocuments(partial(process.neighbour, "identity"))

    async def known_by(actor: Actor, subject: str) -> list[str]:
        # A token reveals the documents of its own person alone. Those of a former name went over to the present one; of whom a helper
        # acts for as a person the uses are told to that person.
        if subject != actor.person and not subject.startswith("organizations/"):
            return []
        return [subject_of(parts.cipher, each) for each in await documents.numbers(subject, actor.token)]

    calendar = CalendarFollower(parts, CalendarSource(partial(process.neighbour, "cases")))
    sweep = Sweep(parts.database, "sharing:sweeper", [unanswered_questions(parts)], _SWEEP_SECONDS)
    return App(
        apis={
            "CatalogService": [CatalogueApi(parts)],
            "MountService": [MountApi(parts)],
            "GrantService": [RequestApi(parts), GrantApi(parts)],
            "DataService": [data],
        },
        events={CalendarImported: calendar.imported},
        followed=followed(parts.database, parts.home),
        workers=[sweep.run, calendar.run],
        known_by=known_by,
        closers=[parts.sources.close, parts.regions.close],
    )
