"""Synthetic people and firms, registered and verified through the gateway."""

import itertools
from dataclasses import dataclass

from deploy.local.demo.office import Office, open_person
from libs.ids.synthetic import SyntheticPopulation
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import resources_pb2


@dataclass(frozen=True)
class RegisteredPerson:
    """A registered person."""

    name: str
    full_name: str
    number: str


@dataclass(frozen=True)
class RegisteredFirm:
    """A registered firm and who represents it by law."""

    name: str
    display_name: str
    uscc: str
    representative: RegisteredPerson


def _firms(seed: int, province: str) -> SyntheticPopulation:
    return SyntheticPopulation(f"firms {seed}", province=province)


def firms_to_come(seed: int, province: str, count: int) -> list[tuple[str, str]]:
    """Returns USCC and name of the first firms that a registry with this seed will register."""
    population = _firms(seed, province)
    drawn = [population.firm() for _ in range(count)]
    return [(firm.uscc, firm.name) for firm in drawn]


class Registry:
    """Registers people and firms at a region's window."""

    def __init__(self, office: Office, seed: int) -> None:
        self._office = office
        province = office.gateway.code[:2]
        self._people = SyntheticPopulation(f"people {seed}", province=province)
        self._firms = _firms(seed, province)
        # No mobile number begins with 100.
        self._phones = itertools.count(10_000_000_001)

    def _phone(self) -> str:
        return str(next(self._phones))

    async def person(self) -> RegisteredPerson:
        """Opens a person's account and checks the real name in person (assurance 4)."""
        gateway, token = self._office.gateway, await self._office.token_of("receiving")
        drawn = self._people.person()
        document = common_pb2.IdentityDocument(type_code="111", number=drawn.citizen_id)
        person = resources_pb2.Person(
            full_name=drawn.name,
            documents=[resources_pb2.HeldDocument(document=document)],
            contact_points=[resources_pb2.ContactPoint(phone=self._phone())],
        )
        made = await open_person(gateway, token, person)
        return RegisteredPerson(made.name, drawn.name, drawn.citizen_id)

    async def firm(self, representative: RegisteredPerson) -> RegisteredFirm:
        """Opens a firm's account with its legal representative."""
        gateway, token = self._office.gateway, await self._office.token_of("receiving")
        drawn = self._firms.firm()
        made = await gateway.using(token).identity.create_organization(
            organization=resources_pb2.Organization(
                display_name=drawn.name,
                uscc=drawn.uscc,
                kind=party_pb2.PARTY_KIND_ENTERPRISE,
                legal_representative=representative.name,
            )
        )
        return RegisteredFirm(made.name, drawn.name, drawn.uscc, representative)
