"""What a partner calls the levels of assurance (实名等级对照): its words beside ours, both ways.

Provinces number and name levels as they like (`RC02`, `authlevel` 2, eIDAS `substantial`); none of their texts is taken as known here. Whoever
onboards a partner writes down which word is which level, with the client.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.errors import invalid_field
from services.identity.core.assurance import HIGHEST

_OURS = tuple(str(level) for level in range(HIGHEST + 1))


@dataclass(frozen=True, slots=True)
class AssuranceName:
    """A partner's word, and the level that it stands for (0 to 4)."""

    value: str
    assurance: int


@dataclass(frozen=True, slots=True)
class AssuranceNames:
    """A partner's words. Ours, `0` to `4`, are taken beside them and mean what they mean."""

    names: tuple[AssuranceName, ...] = ()

    def level(self, value: str) -> int | None:
        """Returns the level that a word stands for; None where it stands for none."""
        found = {each.value: each.assurance for each in self.names}
        return int(value) if value in _OURS else found.get(value)

    def named(self, level: int) -> str:
        """Returns the partner's word for a level: that of the highest one that is reached, so that none says too much.

        Our own word where the partner has none for it, or for any below it.
        """
        reached = [each for each in self.names if each.assurance <= level]
        return max(reached, key=lambda each: each.assurance).value if reached else str(level)

    def to_texts(self) -> tuple[str, ...]:
        """Returns it as a column keeps it."""
        return tuple(f"{each.assurance} {each.value}" for each in self.names)


def of_texts(texts: Iterable[str]) -> AssuranceNames:
    """Reads what :meth:`AssuranceNames.to_texts` gave."""
    parts = (text.split(" ", 1) for text in texts)
    return AssuranceNames(tuple(AssuranceName(value, int(level)) for level, value in parts))


def check_names(names: AssuranceNames) -> None:
    """Raises InvalidArgument FIELD_INVALID for a word that is ours, or stands twice."""
    seen = set(_OURS)
    for place, each in enumerate(names.names):
        if each.value in seen:
            rule = "client.assurance_name"
            raise invalid_field(f"client.assurance_names[{place}].value", rule, "stands twice, or is one of 0 to 4")
        seen.add(each.value)
