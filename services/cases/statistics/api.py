"""StatisticsService: counts over cases."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from libs.civil.calendar import CHINA_TIME
from libs.errors import invalid_field
from libs.rpc.call import Call
from libs.rpc.messages import Names, date_of, timestamp
from services.cases.core.parts import Parts
from services.cases.statistics import store
from tongban.cases.v1 import statistics_service_pb2 as pb

_DIMENSIONS, _MEASURES = Names(pb.Dimension), Names(pb.Measure)
Keys = tuple[str, ...]


class StatisticsApi:
    """Counts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def query_statistics(self, request: pb.QueryStatisticsRequest, call: Call) -> pb.QueryStatisticsResponse:
        """Counts what happened in a period."""
        dimensions = [_DIMENSIONS.name(each) for each in request.dimensions]
        measures = [_MEASURES.name(each) for each in request.measures]
        given = {"category": request.category, "task_code": request.task_code, "department": request.department}
        filters = {name: value for name, value in given.items() if value}
        counts: dict[Keys, list[int]] = defaultdict(lambda: [0] * len(measures))
        for found in await store.count(self._parts.database, dimensions, measures, _period(request), filters):
            counts[found.keys][found.measure] = found.cases
        names = await self._names(dimensions, list(counts))
        totals = [sum(values[number] for values in counts.values()) for number in range(len(measures))]
        return pb.QueryStatisticsResponse(
            rows=[_row(request, key, values, names) for key, values in sorted(counts.items())],
            totals=map(str, totals),
            measures=request.measures,
            as_of_time=timestamp(self._parts.clock.now()),
        )

    async def _names(self, dimensions: Sequence[str], keys: Sequence[Keys]) -> Mapping[str, str]:
        if "ITEM" not in dimensions or not keys:
            return {}
        place = dimensions.index("ITEM")
        return await self._parts.items.names([key[place] for key in keys])


def _row(
    request: pb.QueryStatisticsRequest, key: Keys, values: Sequence[int], names: Mapping[str, str]
) -> pb.StatisticsRow:
    keys = [
        pb.DimensionValue(
            dimension=number,
            value=value,
            display_name=names.get(value, "") if number == pb.DIMENSION_ITEM else "",
        )
        for number, value in zip(request.dimensions, key, strict=True)
    ]
    return pb.StatisticsRow(values=map(str, values), keys=keys)


def _period(request: pb.QueryStatisticsRequest) -> tuple[datetime, datetime]:
    start, end = date_of(request.start_date, "start_date"), date_of(request.end_date, "end_date")
    if end < start:
        raise invalid_field("end_date", "period.order", "must not be before start_date")
    if end == date.max:
        raise invalid_field("end_date", "period.end", "is the last day that there is")
    return (datetime.combine(start, time(), CHINA_TIME), datetime.combine(end, time(), CHINA_TIME) + timedelta(days=1))
