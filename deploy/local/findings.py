"""What is wrong with what runs: per region and process which check fails, since when, and what to do."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.state import ProcessSnapshot, Snapshot

_SECONDS = 2.0
_UNSETTLED = "tongban_calendar_unsettled_year"
_DO = {
    "database": "look whether `postgres` is READY below and at its log; docs/runbooks/dependencies.md",
    "redis": "look whether `redis` is READY below and at its log; docs/runbooks/dependencies.md",
    "disk": "make room on the disk of the state folder (logs, old copies), or lower least_free_mb in settings.toml",
    "keys": "`./run doctor` says which file of keys/, secrets/ or pki/ is missing, closed or over",
}
_SOON = {
    "disk": "make room soon: below least_free_mb nothing that writes is taken any more",
    "keys": "a certificate ends soon: stop and start (`./run down`, `./run up`), which renews those of the development PKI",
}
_CALENDAR = {
    "MISSING": ("has no calendar", "import its notice, or enter it provisionally; docs/runbooks/calendar-missing.md"),
    "PROVISIONAL": ("is provisional", "import its notice once it is published; docs/runbooks/calendar-missing.md"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        where: the region and the process, or the part of this machine.
        what: what fails.
        todo: what to do about it.
        since: since when, RFC 3339; empty where that isn't known.
        bad: whether something does not work; else it works still.
    """

    where: str
    what: str
    todo: str
    since: str = ""
    bad: bool = True

    def line(self) -> str:
        """The finding as one line."""
        since = f" since {self.since}" if self.since else ""
        return f"{'WRONG' if self.bad else 'soon '}  {self.where}: {self.what}{since}. {self.todo}"

    def described(self) -> dict[str, Any]:
        """The finding for programs."""
        return asdict(self)


def of_processes(snapshot: Snapshot) -> list[Finding]:
    """Asks every process of the snapshot that lives, all at once."""
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(_of_process, snapshot.processes)
        return [finding for findings in found for finding in findings]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")


def _of_process(process: ProcessSnapshot) -> list[Finding]:
    where = f"{process.region}/{process.name}"
    if process.phase not in ("READY", "DONE"):
        since = _moment(process.started) if process.started else ""
        return [Finding(where, f"is {process.phase}", f"its log says why: {process.log}", since)]
    if "metrics" not in process.ports:
        return []
    try:
        text = httpx.get(f"http://127.0.0.1:{process.ports['metrics']}/metrics", timeout=_SECONDS, trust_env=False).text
    except httpx.HTTPError:
        return [Finding(where, "does not answer", f"it hangs: end it (kill -9 {process.pid}), it is started again")]
    return _of_metrics(where, text)


def _of_metrics(where: str, text: str) -> list[Finding]:
    gauges = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("tongban_dependency", "tongban_warning", "tongban_calendar", "tongban_insecure"))
    }
    away = [
        (key[1], value) for key, value in gauges.items() if key[0] == "tongban_dependency_away_since_seconds" and value
    ]
    soon = [key[1] for key, value in gauges.items() if key[0] == "tongban_warning" and value]
    return [
        *(Finding(where, f"{name} fails", _DO.get(name, "its log says why"), _moment(since)) for name, since in away),
        *(Finding(where, f"{name} is near its end", _SOON[name], bad=False) for name in soon if name in _SOON),
        *(
            Finding(where, f"{key[1]} is insecure", "it passes everybody: configure a real one before real affairs")
            for key, value in gauges.items()
            if key[0] == "tongban_insecure" and value
        ),
        *(_of_calendar(where, key[1], int(value)) for key, value in gauges.items() if key[0] == _UNSETTLED and value),
    ]


def _of_calendar(where: str, basis: str, year: int) -> Finding:
    what, todo = _CALENDAR[basis]
    return Finding(where, f"{year} {what}, and limits reach it", todo, bad=False)


def lines(findings: Iterable[Finding]) -> Sequence[str]:
    """The findings as lines, what does not work first."""
    return [finding.line() for finding in sorted(findings, key=lambda finding: not finding.bad)]
