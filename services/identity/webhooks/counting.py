"""How many deliveries wait, and how many nobody took: for whoever watches the region."""

from libs.background import forever
from libs.db.engine import Database
from libs.db.query import Query
from libs.observability import metrics
from services.identity.webhooks.rules import DeliveryState
from services.identity.webhooks.tables import WebhookCount

_COUNT_SECONDS = 15.0
_COUNT = Query(
    WebhookCount,
    "SELECT {columns} FROM (SELECT count(*) AS amount FROM webhook_deliveries WHERE state = :state) AS found",
)


class CountedDeliveries:
    """Keeps the metrics of deliveries true."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Counts for ever; every replica tells the same."""
        await forever("counted deliveries", self.turn, _COUNT_SECONDS)

    async def turn(self) -> None:
        """Counts once."""
        async with self._database.read() as connection:
            waiting = await _COUNT.one(connection, state=DeliveryState.WAITING)
            dead = await _COUNT.one(connection, state=DeliveryState.DEAD)
        metrics.WEBHOOKS_WAITING.set(waiting.amount)
        metrics.WEBHOOKS_DEAD.set(dead.amount)
