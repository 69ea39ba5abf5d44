"""Who reads, and for which case: the facts that every rule of use is decided on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads.

    ``subjects``: for whom the token speaks as a possible holder: the person, and the firm under a mandate.
    ``department`` and ``client``: ``departments/…`` and ``clients/…`` of the reader's own region, or empty.
    ``official``: the staff in office or the machine that reads, as the token names it; empty for people.
    """

    region_code: str
    subjects: frozenset[str] = frozenset()
    department: str = ""
    client: str = ""
    official: str = ""

    def is_issuer(self, department: str, home: str) -> bool:
        """Tells whether the reader is of the department that issued; no department is nobody's."""
        return bool(department) and self.region_code == home and self.department == department

    def own_name(self) -> str:
        """Returns the narrowest name with the region: the department's, else the client's, else the region's."""
        part = self.department or self.client
        return f"//{self.region_code}/{part}" if part else f"//{self.region_code}"

    def names(self) -> frozenset[str]:
        """Returns what the reader is called as a verifier, from the whole region to department and client."""
        region = f"//{self.region_code}"
        return frozenset({region, *(f"{region}/{part}" for part in (self.department, self.client) if part)})


@dataclass(frozen=True, slots=True)
class HandledCase:
    """A case that a department of this region works on now, as the cases service told it.

    ``department`` decides. ``parties``: applicant and agent. ``type_codes``: the licence types that answer materials of its
    item. ``legal_basis``: the item's own, as published. ``handlers``: departments that decide it or took it in, and the
    machine that submitted it. ``materials``: the files that it refers to, as this region names them.
    """

    department: str
    parties: frozenset[str]
    type_codes: frozenset[str]
    legal_basis: str
    handlers: frozenset[str] = frozenset()
    materials: frozenset[str] = frozenset()

    def is_of(self, reader: Reader) -> bool:
        """Tells whether the reader has to do with the case: people as its party, all others as who handles it.

        Staff who stand at a window for somebody see with that person's eyes.
        """
        if reader.subjects:
            return not self.parties.isdisjoint(reader.subjects)
        return not self.handlers.isdisjoint({reader.department, reader.client} - {""})

    def brings(self, material: str, owner: str) -> bool:
        """Tells whether a party put their own file into the case; what is another's is not theirs to put in."""
        return material in self.materials and owner in self.parties


@dataclass(frozen=True, slots=True)
class Purpose:
    """The part of a UseContext that decides: the case, canonical, and the legal basis."""

    case_name: str
    legal_basis: str


def canonical_case(case_name: str, home_region: str) -> str:
    """Returns a case's name as this region writes it: its own without the region in front, others' with it."""
    return case_name.strip().removeprefix(f"//{home_region}/")
