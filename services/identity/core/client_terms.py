"""What a client may do, where from and until when: what is within what, and what two terms have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from libs.access.addresses import parsed, parsed_range
from libs.errors import invalid_field
from services.identity.core.scopes import both, covers

MOST_RANGE_TEXT = 1000
"""Characters of all ranges of a client together: its tokens carry them."""


@dataclass(frozen=True, slots=True)
class ClientTerms:
    """The terms of a client.

    Attributes:
        scopes: the permissions that its own tokens may hold.
        assertable: the actor kinds that it may speak for, of PERSON and STAFF.
        max_assurance: the highest assurance believed from it.
        ip_ranges: where it calls from; none means anywhere.
        expire_time: until when, by the machine's clock; None means for ever.
        sender_constraint: how its tokens must be bound (SenderConstraint of the contract); empty where they need not be.
        signs: whether each of its requests must be signed.
        redirect_uris: where browsers of those who sign in to it are sent back to; empty where nobody does.
        post_logout_redirect_uris: where they may be sent after signing out.
    """

    scopes: tuple[str, ...]
    assertable: tuple[str, ...]
    max_assurance: int
    ip_ranges: tuple[str, ...]
    expire_time: datetime | None
    sender_constraint: str = ""
    signs: bool = False
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON keeps it."""
        told = {"scopes": self.scopes, "assertable": self.assertable, "max_assurance": self.max_assurance}
        return {
            **told,
            "ip_ranges": self.ip_ranges,
            "signs": self.signs,
            "expire_time": self.expire_time.isoformat() if self.expire_time else "",
            "sender_constraint": self.sender_constraint,
            "redirect_uris": self.redirect_uris,
            "post_logout_redirect_uris": self.post_logout_redirect_uris,
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "ClientTerms":
        """Reads what :meth:`to_json` gave."""
        return cls(
            tuple(told["scopes"]),
            tuple(told["assertable"]),
            told["max_assurance"],
            tuple(told["ip_ranges"]),
            datetime.fromisoformat(told["expire_time"]) if told["expire_time"] else None,
            told.get("sender_constraint", ""),
            bool(told.get("signs")),
            tuple(told.get("redirect_uris", ())),
            tuple(told.get("post_logout_redirect_uris", ())),
        )


def check_ranges(texts: tuple[str, ...], field: str) -> None:
    """Raises InvalidArgument FIELD_INVALID for what is no range of addresses, and where all of them are too long for a token."""
    for place, each in enumerate(texts):
        try:
            parsed_range(each)
        except ValueError as error:
            raise invalid_field(f"{field}[{place}]", "client.ip_range", "is no range of addresses") from error
    if sum(map(len, texts)) > MOST_RANGE_TEXT:
        raise invalid_field(field, "client.ip_ranges", f"take more than {MOST_RANGE_TEXT} characters together")


def allows(wide: ClientTerms, terms: ClientTerms) -> bool:
    """Says whether ``wide`` allows all that ``terms`` do."""
    return (
        all(covers(wide.scopes, each) for each in terms.scopes)
        and set(terms.assertable) <= set(wide.assertable)
        and terms.max_assurance <= wide.max_assurance
        and _lies_in(terms.ip_ranges, wide.ip_ranges)
        and _end(terms.expire_time) <= _end(wide.expire_time)
        and wide.sender_constraint in ("", terms.sender_constraint)
        and terms.signs >= wide.signs
        and set(terms.redirect_uris) <= set(wide.redirect_uris)
        and set(terms.post_logout_redirect_uris) <= set(wide.post_logout_redirect_uris)
    )


def in_common(stands: ClientTerms, asked: ClientTerms) -> ClientTerms:
    """Returns what both allow: what holds at once of what is asked for. A client is never left without an address by it."""
    return ClientTerms(
        both(stands.scopes, asked.scopes),
        tuple(each for each in stands.assertable if each in asked.assertable),
        min(stands.max_assurance, asked.max_assurance),
        _shared(stands.ip_ranges, asked.ip_ranges),
        min(stands.expire_time, asked.expire_time, key=_end),
        stands.sender_constraint or asked.sender_constraint,
        stands.signs or asked.signs,
        tuple(each for each in stands.redirect_uris if each in asked.redirect_uris),
        tuple(each for each in stands.post_logout_redirect_uris if each in asked.post_logout_redirect_uris),
    )


def _end(moment: datetime | None) -> datetime:
    return moment or datetime.max.replace(tzinfo=UTC)


def _inside(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.subnet_of(other)
    return isinstance(one, IPv6Network) and isinstance(other, IPv6Network) and one.subnet_of(other)


def _lies_in(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Whether each range lies in one of the others; none at all is anywhere."""
    if not outer:
        return True
    return bool(inner) and all(any(_inside(one, other) for other in parsed(outer)) for one in parsed(inner))


def _shared(stands: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses that lie in both; those that stand where there are none, for none would be anywhere."""
    if not stands or not asked:
        return stands or asked
    kept = (
        *(each for each in asked if _lies_in((each,), stands)),
        *(each for each in stands if _lies_in((each,), asked)),
    )
    return tuple(dict.fromkeys(kept)) or stands
