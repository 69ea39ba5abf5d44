"""What roles may name (角色): permissions that some duty gives; they narrow, and never add."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from libs.errors import invalid_field


@dataclass(frozen=True, slots=True)
class StaffRole:
    """A role; ``permissions`` are sorted."""

    id: str
    display_name: str
    permissions: tuple[str, ...]
    create_time: datetime
    update_time: datetime
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"roles/{self.id}"


def check_given(permissions: Iterable[str], given: Collection[str], field: str) -> None:
    """Raises InvalidArgument FIELD_INVALID where one of a role's permissions is none that duties give, in ``given``."""
    for each in permissions:
        if each not in given:
            raise invalid_field(field, "role.duties", f"{each} is given by no duty that this could be for")


def narrowed(role: StaffRole, taken: Iterable[str]) -> tuple[str, ...]:
    """Returns what is left of a role's permissions; raises FIELD_INVALID where it does not hold one, or none is left."""
    gone = frozenset(taken)
    for each in sorted(gone):
        if each not in role.permissions:
            raise invalid_field("permissions", "role.holds", f"the role does not hold {each}")
    left = tuple(each for each in role.permissions if each not in gone)
    if not left:
        raise invalid_field("permissions", "role.empty", "the role would hold nothing; posts may be taken instead")
    return left
