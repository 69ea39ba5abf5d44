"""Personal codes and their counts as messages."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from libs.personal_codes import CodeContent
from libs.rpc.messages import Names, date_message, timestamp
from services.identity.codes.rules import SHOW, CodeScene
from services.identity.codes.store import DayCount
from tongban.identity.v1 import code_service_pb2 as pb

_KINDS, _SCENES = Names(pb.CredentialKind), Names(pb.CodeScene)


def at(seconds: int) -> datetime:
    """Returns the moment so many seconds after 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def scanned_message(content: CodeContent, assurance: int, *, abroad: bool) -> pb.ScannedCode:
    """Builds what every scan tells of a code; ``assurance`` is the level that counts here."""
    return pb.ScannedCode(
        region=content.region,
        assurance=assurance,
        issue_time=timestamp(at(content.issued)),
        expire_time=timestamp(at(content.expires)),
        unreachable=[content.region] if abroad else [],
    )


def kind_numbers(kinds: Sequence[str]) -> list[pb.CredentialKind.ValueType]:
    """Returns kinds of cards as the contract numbers them, in its order."""
    return sorted(_KINDS.number(each) for each in kinds)


def statistics_message(counts: Sequence[DayCount]) -> pb.QueryCodeStatisticsResponse:
    """Builds the counts of some days, in order."""
    days = sorted({each.day for each in counts})
    return pb.QueryCodeStatisticsResponse(
        days=[_day(day, {each.kind: each.amount for each in counts if each.day == day}) for day in days],
        total_shows=sum(each.amount for each in counts if each.kind == SHOW),
        total_scans=sum(each.amount for each in counts if each.kind != SHOW),
    )


def _day(day: date, amounts: dict[str, int]) -> pb.CodeDay:
    scenes = [
        pb.SceneScans(scene=_SCENES.number(scene.value), scans=amounts[scene.value])
        for scene in CodeScene
        if scene.value in amounts
    ]
    return pb.CodeDay(count_date=date_message(day), shows=amounts.get(SHOW, 0), scenes=scenes)
