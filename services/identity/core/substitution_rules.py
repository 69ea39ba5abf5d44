"""Who may stand in for whom, in which posts and for how long (代岗)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import invalid_field, not_found, reasons
from services.identity.core.duties import Assignment

LONGEST = timedelta(days=90)
"""Nobody is stood in for any longer at a time: who is away for longer has a successor, who is assigned."""


class SubstitutionState(StrEnum):
    """Where a substitution stands (SubstitutionState of the contract); EXPIRED is never stored, it follows from the time."""

    REQUESTED = "REQUESTED"
    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Substitution:
    """That a member of staff stands in for another one.

    Attributes:
        represented, substitute: staff records, ids.
        department: where they work, an id.
        posts: the posts, ids.
        begin_time: from when on, inclusive.
        expire_time: until when, exclusive.
        backers: the human beings who stand behind it, where it takes two.
        state: what is stored; EXPIRED is never stored.
    """

    id: str
    represented: str
    substitute: str
    department: str
    posts: tuple[str, ...]
    begin_time: datetime
    expire_time: datetime
    state: SubstitutionState
    backers: tuple[str, ...]
    create_time: datetime
    update_time: datetime
    revoke_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"substitutions/{self.id}"

    @property
    def represented_name(self) -> str:
        """Who is away, `staff/<uuid>`."""
        return f"staff/{self.represented}"

    @property
    def post_names(self) -> list[str]:
        """The posts' resource names."""
        return [f"departments/{self.department}/posts/{post}" for post in self.posts]

    def state_at(self, now: datetime) -> SubstitutionState:
        """Returns where it stands at ``now``."""
        ended = self.state is SubstitutionState.REVOKED
        return self.state if ended or now < self.expire_time else SubstitutionState.EXPIRED

    def check_of(self, substitute: str) -> None:
        """Raises NotFound where it is not this member of staff (an id) who stands in by it."""
        if self.substitute != substitute:
            raise not_found(self.name)

    def check_holds(self, now: datetime) -> None:
        """Raises PermissionDenied SUBSTITUTION_NOT_ACTIVE where nobody stands in by it at ``now``."""
        state = self.state_at(now)
        if state is not SubstitutionState.ACTIVE or now < self.begin_time:
            raise reasons.substitution_not_active(
                "nobody stands in by it now", substitution=self.name, state=state.value
            )


def check_times(begin: datetime, expire: datetime) -> None:
    """Raises InvalidArgument FIELD_INVALID where a substitution ends before it begins, or lasts for too long."""
    if expire <= begin:
        raise invalid_field("substitution.end_time", "term.order", "must be later than the start, and than now")
    if expire - begin > LONGEST:
        raise invalid_field("substitution.end_time", "term.longest", f"is at most {LONGEST.days} days after the start")


def check_held(own: Iterable[Assignment], posts: Sequence[str], staff: str, begin: datetime, expire: datetime) -> None:
    """Checks that every post is held by the represented themselves, and for all of the time.

    Args:
        own: the posts that were given to them, which do not wait. What they stand in for is not among them: it is not
            passed on.
        posts: the names of the posts.
        staff: who is away.
        begin: from when on, inclusive.
        expire: until when, exclusive.

    Raises:
        FailedPrecondition: POST_NOT_HELD, of the first that is not.
    """
    covering = {each.post for each in own if each.begin <= begin and (each.expire is None or expire <= each.expire)}
    for post in posts:
        if post not in covering:
            raise reasons.post_not_held("they don't hold it for all of that time", post=post, staff=staff)
