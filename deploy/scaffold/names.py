"""What a new thing is called where: from ``cases/site_visits`` and ``BookSiteVisit``."""

import re
from dataclasses import dataclass
from functools import cached_property

_FEATURE = re.compile(r"([a-z]+)/([a-z]+(?:_[a-z]+)*)")
_RPC = re.compile(r"(?:[A-Z][a-z0-9]+){2,}")


class BadName(Exception):
    """A name that can't be made into the names of files and contracts."""


@dataclass(frozen=True)
class FeatureNames:
    """The names of a feature, and of one of its RPCs.

    Attributes:
        service: ``cases``.
        feature: ``site_visits``.
        rpc: ``BookSiteVisit``.
    """

    service: str
    feature: str
    rpc: str

    @cached_property
    def one(self) -> str:
        """One of them: ``site_visit``."""
        if self.feature.endswith("ies"):
            return f"{self.feature[:-3]}y"
        return self.feature.removesuffix("s")

    @cached_property
    def kind(self) -> str:
        """The class of one: ``SiteVisit``."""
        return "".join(word.title() for word in self.one.split("_"))

    @cached_property
    def collection(self) -> str:
        """Where resources stand: ``siteVisits``."""
        first, *others = self.feature.split("_")
        return first + "".join(word.title() for word in others)

    @cached_property
    def handler(self) -> str:
        """``book_site_visit``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.rpc).lower()

    @cached_property
    def verb(self) -> str:
        """``book``: the RPC's name without the resource's; its first letter small."""
        verb = self.rpc.removesuffix(self.kind)
        return verb[:1].lower() + verb[1:]

    @property
    def values(self) -> dict[str, str]:
        """All of them, for the templates."""
        return {
            name: getattr(self, name)
            for name in ("service", "feature", "rpc", "one", "kind", "collection", "handler", "verb")
        }


def names_of(place: str, rpc: str = "") -> FeatureNames:
    """Reads ``cases/site_visits`` and the name of an RPC; raises BadName."""
    found = _FEATURE.fullmatch(place)
    if found is None or found[2] in ("core", "integrations", "migrations"):
        raise BadName(f"{place}: give it as service/features, in lower case: cases/site_visits")
    if rpc and not _RPC.fullmatch(rpc):
        raise BadName(f"{rpc}: give it as VerbNoun: BookSiteVisit")
    made = FeatureNames(found[1], found[2], rpc)
    return made if rpc else FeatureNames(found[1], found[2], f"Get{made.kind}")
