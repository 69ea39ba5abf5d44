"""Prometheus metrics of every service, on a port of their own."""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server

CALLS = Counter("tongban_calls", "RPCs served, by method and gRPC code", ["method", "code"])
SECONDS = Histogram(
    "tongban_call_seconds",
    "Seconds from the first stage to the answer",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CLIENT_REPEATS = Counter("tongban_rpc_client_repeats", "Calls to neighbours that were sent again, by neighbour", ["to"])
CLIENT_ERRORS = Counter("tongban_client_errors", "Calls to neighbours that failed", ["method", "code"])
OUTBOX_LAG = Gauge("tongban_outbox_rows", "Events that wait to be published")
EVENTS_MISSING = Counter(
    "tongban_events_missing", "Events that never came, as the numbers of their subjects tell", ["consumer", "source"]
)
EVENTS = Counter("tongban_events", "Events handled, by consumer, type and result", ["consumer", "type", "result"])
EVENTS_WAITING = Gauge(
    "tongban_event_subjects_waiting", "Subjects whose next event waits for something to come back", ["consumer"]
)
PARKED = Gauge("tongban_parked_events", "Events that were set aside and wait for an operator")
WEBHOOKS_WAITING = Gauge("tongban_webhook_deliveries_waiting", "Deliveries to webhooks that are on their way")
WEBHOOKS_DEAD = Gauge(
    "tongban_webhook_deliveries_dead", "Deliveries to webhooks that nobody took, and that are kept to be sent again"
)
NOT_UNDERSTOOD = Gauge(
    "tongban_messages_not_understood", "Messages of other regions that are kept until this region's contract knows them"
)
HANDOVER_MISSING = Gauge(
    "tongban_handover_missing", "Hand-overs whose second half has not come in time, by hand-over", ["handover"]
)
HANDOVER_OLDEST = Gauge("tongban_handover_oldest_seconds", "How long the oldest of them has been missing", ["handover"])
HANDOVER_COMPARED = Gauge(
    "tongban_handover_compared_time_seconds",
    "When both ends of a hand-over were last compared, by hand-over",
    ["handover"],
)
HANDOVER_REPEATS = Counter("tongban_handover_repeats", "Hand-overs taken up again, by result", ["handover", "result"])
SET_ASIDE = Gauge("tongban_rows_set_aside", "Rows that background work could not do, and does the others", ["task"])
TURNS_FAILED = Counter(
    "tongban_turns_failed",
    "Turns of background work that failed and were begun anew, by task and reason",
    ["task", "reason"],
)
DATABASE_RENEWALS = Counter(
    "tongban_database_renewals", "Times that all connections were renewed: the server went away"
)
DEPENDENCY_UP = Gauge("tongban_dependency_up", "1 while a dependency answers within seconds", ["dependency"])
DEPENDENCY_AWAY_SINCE = Gauge(
    "tongban_dependency_away_since_seconds",
    "When a dependency that does not answer stopped answering, seconds since 1970; 0 while it answers",
    ["dependency"],
)
GUESTS_HOME_SILENT_SINCE = Gauge(
    "tongban_guests_home_silent_since_seconds",
    "Since when a region whose guests hold tokens here does not tell what it withdrew, seconds since 1970; 0 while it tells",
    ["region"],
)
DISK_FREE = Gauge(
    "tongban_disk_free_bytes", "What is left of the disk under a folder that this process fills", ["folder"]
)
CERTIFICATE_END = Gauge(
    "tongban_certificate_end_time_seconds",
    "When a certificate of this process ends, seconds since 1970",
    ["certificate"],
)
WARNING = Gauge(
    "tongban_warning", "1 while something still works and will not for long: disk, keys, calendar", ["what"]
)
INSECURE = Gauge(
    "tongban_insecure", "1 while something stands in for what is meant, and is not safe for real affairs", ["what"]
)
CALENDAR_UNSETTLED = Gauge(
    "tongban_calendar_unsettled_year",
    "The first year without a holiday notice that a limit reaches which begins within 90 days; 0 where there is none",
    ["basis"],
)
DEPENDENCY_AWAY_SECONDS = Counter(
    "tongban_dependency_away_seconds",
    "Seconds for which a dependency did not answer, counted when it is back",
    ["dependency"],
)
LOG_LOST = Gauge(
    "tongban_audit_records_lost", "Records of the audit log that are gone: the database was put back from an older copy"
)
LOG_SIZE = Gauge("tongban_audit_tree_size", "Records in the newest signed head of the audit log")


def serve(host: str, port: int) -> None:
    """Answers Prometheus at ``http://host:port/metrics`` from a thread of its own."""
    start_http_server(port, addr=host, registry=REGISTRY)
