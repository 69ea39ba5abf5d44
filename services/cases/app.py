"""What the cases service is made of."""

from libs.events.change_api import Followed, everybody
from libs.process import Process
from libs.process.app import App
from libs.sweeps.comparison import HandOverComparison
from libs.sweeps.sweep import Sweep
from services.cases.acceptance.api import AcceptanceApi
from services.cases.acceptance.worker import DeemedAcceptance
from services.cases.applications.api import ApplicationApi
from services.cases.applications.service import Applications
from services.cases.calendars.api import CalendarApi
from services.cases.calendars.watch import CalendarWatch
from services.cases.calendars.worker import DeadlineRecounter
from services.cases.core.held import HELD
from services.cases.core.parts import Parts, parts_of
from services.cases.decisions.api import DecisionApi
from services.cases.decisions.asking import LicenseRequests
from services.cases.decisions.worker import LicenseEvents
from services.cases.deliveries.api import DeliveryApi
from services.cases.drafts.api import DraftApi
from services.cases.incoming.answers import AnswerApplier
from services.cases.incoming.api import IncomingApi
from services.cases.incoming.applying import MessageApplier
from services.cases.incoming.retaking import MessagesNotUnderstood
from services.cases.incoming.store import InboxStore
from services.cases.incoming.taking import MessageTaker
from services.cases.items.api import ItemApi
from services.cases.outgoing.api import OutgoingApi
from services.cases.outgoing.unanswered import UnansweredTransfers
from services.cases.outgoing.worker import MessageDeliverer
from services.cases.ratings.api import RatingApi
from services.cases.ratings.service import RatingWriter
from services.cases.review.api import ReviewApi
from services.cases.search.api import SearchApi
from services.cases.search.followed import FollowedCases
from services.cases.statistics.api import StatisticsApi
from services.cases.tasks.api import TaskApi
from tongban.license.v1.events_pb2 import LicenseIssued, LicenseVoided

_PAUSE_SECONDS = 30.0
"""Between two looks of the sweep."""


async def app(process: Process) -> App:
    """Makes the features on the parts of the process, and lists what they serve, hear and do by themselves."""
    parts = parts_of(process)
    applications, ratings = Applications(parts), RatingWriter(parts)
    calendars, licenses = CalendarApi(parts), LicenseEvents(parts)
    await calendars.set_up()
    taker = MessageTaker(
        parts,
        InboxStore(parts.database, parts.cipher),
        MessageApplier(parts, applications, ratings),
        AnswerApplier(parts),
    )
    kept = MessagesNotUnderstood(taker)
    sweep, comparison = _sweep(parts, kept)
    return App(
        apis={
            "ItemService": [ItemApi(parts)],
            "CaseService": [
                ApplicationApi(parts, applications),
                DraftApi(parts),
                AcceptanceApi(parts),
                ReviewApi(parts),
                DecisionApi(parts),
                SearchApi(parts),
            ],
            "TaskService": [TaskApi(parts)],
            "ExchangeService": [
                OutgoingApi(parts),
                IncomingApi(parts, taker),
            ],
            "DeliveryService": [DeliveryApi(parts)],
            "RatingService": [RatingApi(parts, ratings)],
            "StatisticsService": [StatisticsApi(parts)],
            "CalendarService": [calendars],
        },
        events={LicenseIssued: licenses.issued, LicenseVoided: licenses.voided},
        followed={
            "cases": FollowedCases(parts.database).rule(),
            "serviceItems": Followed("", everybody),
            "calendars": Followed("", everybody),
        },
        workers=[
            MessageDeliverer(parts).run,
            DeadlineRecounter(parts).run,
            CalendarWatch(parts).run,
            kept.watch,
            sweep.run,
            comparison.run,
        ],
        closers=[parts.regions.close],
        held=HELD,
    )


def _sweep(parts: Parts, kept: MessagesNotUnderstood) -> tuple[Sweep, HandOverComparison]:
    """What is looked for by itself: overdue acceptances, licences and answers of other regions that do not come."""
    requests = LicenseRequests(parts)
    comparison = requests.comparison(_PAUSE_SECONDS)
    backlogs = [
        DeemedAcceptance(parts).backlog(),
        requests.backlog(),
        comparison.backlog(requests.ask_for_lost),
        *UnansweredTransfers(parts).backlogs(),
        kept.backlog(),
    ]
    return Sweep(parts.database, "cases:sweeper", backlogs, _PAUSE_SECONDS), comparison
