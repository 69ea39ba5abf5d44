"""Whether any event of a subject is missing, as a consumer sees it by their numbers."""

from collections import OrderedDict

from libs.events.cloud_event import Event

_SUBJECTS = 20_000


class SeenNumbers:
    """The numbers of the last events of the subjects that were heard of last.

    A number lower than one that was seen is a repetition, or the source was put back from an older copy: it goes on from
    there. What is missing is lost on the way only (a stream that was trimmed or lost): the sweeps see to its effects, and
    who is shown it looks into the stream.
    """

    def __init__(self, subjects: int = _SUBJECTS) -> None:
        self._subjects = subjects
        self._last: OrderedDict[tuple[str, str, bool], int] = OrderedDict()

    def missing(self, event: Event) -> int:
        """Notes an event, and returns how many of its subject are missing before it; 0 where nothing is known of those."""
        if not event.sequence:
            return 0
        key = (event.source, event.subject, event.public)
        last = self._last.get(key)
        self._last[key] = event.sequence
        self._last.move_to_end(key)
        if len(self._last) > self._subjects:
            self._last.popitem(last=False)
        return max(0, event.sequence - 1 - last) if last is not None else 0
