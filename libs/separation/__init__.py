"""Who may not take a step because of who they are: separated duties (受审分离) and one's own affairs (回避).

Human beings are compared, never tokens: one of them may have several staff records, sessions and clients. A machine is no
second pair of eyes. Every service asks here and nothing is looked up: ``libs.access.actor`` reads from the token who
acts (``human``) and whose affairs are also theirs (``affairs``). Pure, so that domains can ask too.
"""

from collections.abc import Collection, Iterable

from libs.errors import reasons

EVERYBODY = "*"
"""Stands among those near to somebody where there are too many to be named in a token."""


def require_human(human: str, actor_kind: str) -> str:
    """Returns the human being who acts, `persons/…`; raises PermissionDenied ACTOR_NOT_ALLOWED where none does."""
    if not human:
        raise reasons.actor_not_allowed("a human being must take this step", actor_kind=actor_kind)
    return human


def is_involved(affairs: Collection[str], parties: Iterable[str]) -> bool:
    """Says whether an affair of ``parties`` is also one's own; empty names count for nobody."""
    named = {name for name in parties if name}
    return bool(named) and (EVERYBODY in affairs or not named.isdisjoint(affairs))


def require_uninvolved(affairs: Collection[str], *parties: str) -> None:
    """Refuses a step in an affair of one's own: who is a party to it stands back (公务员法 76).

    Args:
        affairs: the human being who acts, those whom they act for or represent by law, and those who act for them.
        parties: whose affair it is: persons and organisations, named as this region names them.

    Raises:
        PermissionDenied: ACTING_ON_SELF.
    """
    if is_involved(affairs, parties):
        raise reasons.acting_on_self("nobody handles what concerns themselves or those near to them")


def took_part(human: str, earlier: Collection[str]) -> bool:
    """Says whether a human being took one of the ``earlier`` steps; empty names stand for machines and nobody."""
    return bool(human) and human in earlier
