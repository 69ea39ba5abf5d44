"""Counts over cases."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from libs.civil.calendar import CHINA_TIME
from libs.clock import Clock
from libs.errors import invalid_field
from libs.rpc.timestamps import timestamp
from services.cases.convert import Names, day_of
from services.cases.store.items import ItemStore
from services.cases.store.statistics import StatisticsStore
from tongban.cases.v1 import statistics_service_pb2 as pb

DIMENSION = Names(pb.Dimension, "DIMENSION_")
MEASURE = Names(pb.Measure, "MEASURE_")


class Statistics:
    """Use cases of StatisticsService."""

    def __init__(self, store: StatisticsStore, items: ItemStore, clock: Clock) -> None:
        self._store = store
        self._items = items
        self._clock = clock

    async def query(self, request: pb.QueryStatisticsRequest) -> pb.QueryStatisticsResponse:
        """Counts what happened in a period."""
        dimensions = [DIMENSION.name(each) for each in request.dimensions]
        measures = [MEASURE.name(each) for each in request.measures]
        given = {"category": request.category, "task_code": request.task_code, "department": request.department}
        filters = {name: value for name, value in given.items() if value}
        found = await self._store.count(dimensions, measures, _period(request), filters)
        counts: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * len(measures))
        for row in found:
            counts[tuple(row[1:-1])][row[0]] = row[-1]
        names = await self._names(dimensions, list(counts))
        rows = [
            pb.StatisticsRow(
                values=values,
                keys=[
                    pb.DimensionValue(
                        dimension=number, value=value, display_name=names.get(value, "") if name == "ITEM" else ""
                    )
                    for number, name, value in zip(request.dimensions, dimensions, key, strict=True)
                ],
            )
            for key, values in sorted(counts.items())
        ]
        totals = [sum(values[number] for values in counts.values()) for number in range(len(measures))]
        return pb.QueryStatisticsResponse(
            rows=rows, totals=totals, measures=request.measures, as_of_time=timestamp(self._clock.now())
        )

    async def _names(self, dimensions: Sequence[str], keys: Sequence[tuple[str, ...]]) -> dict[str, str]:
        if "ITEM" not in dimensions or not keys:
            return {}
        place = dimensions.index("ITEM")
        return await self._items.names([key[place] for key in keys])


def _period(request: pb.QueryStatisticsRequest) -> tuple[datetime, datetime]:
    start, end = day_of(request.start_date, "start_date"), day_of(request.end_date, "end_date")
    if end < start:
        raise invalid_field("end_date", "period.order", "must not be before start_date")
    if end == date.max:
        raise invalid_field("end_date", "period.end", "is the last day that there is")
    return (datetime.combine(start, time(), CHINA_TIME), datetime.combine(end, time(), CHINA_TIME) + timedelta(days=1))
