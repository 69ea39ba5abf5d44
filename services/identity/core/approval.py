"""What takes two human beings: to let another speak for people, a channel or a region, or to change what it speaks with.

Machines count for nobody: whoever asks or approves counts as the human being that they are (decision 0018).
"""

from collections.abc import Sequence

from libs.errors import reasons

PEOPLE = 2
"""So many human beings stand behind it before it takes effect."""


def asked_by(human: str) -> tuple[str, ...]:
    """Returns who stands behind something at first: who asks for it, `persons/…`, or nobody where a machine does."""
    return (human,) if human else ()


def approved_by(backers: Sequence[str], human: str, actor_kind: str) -> tuple[str, ...]:
    """Returns who stands behind it with ``human``.

    Raises:
        PermissionDenied: ACTOR_NOT_ALLOWED where no human being approves; ACTING_ON_SELF where they do so already.
    """
    if not human:
        raise reasons.actor_not_allowed("a human being must approve this", actor_kind=actor_kind)
    if human in backers:
        raise reasons.acting_on_self("another human being must approve this")
    return (*backers, human)


def holds(backers: Sequence[str], needed: int = PEOPLE) -> bool:
    """Says whether enough people stand behind it."""
    return len(set(backers)) >= needed
