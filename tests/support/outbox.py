"""What a service emitted, read from its outbox."""

from typing import Any

from libs.events.cloud_event import Event
from libs.events.wire import Wire

KEEP_SENT = """
CREATE FUNCTION keep_sent() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''kept''; END';
CREATE CONSTRAINT TRIGGER keep_sent AFTER DELETE ON outbox DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION keep_sent();
"""
"""Makes every commit of a relay fail: after it has sent."""
LET_GO = "DROP TRIGGER keep_sent ON outbox; DROP FUNCTION keep_sent();"
"""Lets it commit again."""


def emitted(wire: Wire, row: Any) -> bytes:
    """The data of an outbox row as it was emitted: it lies there encrypted."""
    return wire.open(Event(row.id, "", row.type, row.subject, row.time, row.data)).data
