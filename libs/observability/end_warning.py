"""What still works and will not for long: told once when that begins, and once when it is over."""

from libs.observability import metrics
from libs.observability.logs import logger

_log = logger(__name__)


class EndWarning:
    """Tells once when something gets near its end, and once when it is well again; the metric says which."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._told = ""

    def tell(self, why: str) -> None:
        """Takes what is near its end now; empty where nothing is."""
        metrics.WARNING.labels(self._what).set(bool(why))
        if bool(why) != bool(self._told):
            _log.warning("near its end" if why else "well again", what=self._what, why=why or self._told)
        self._told = why
