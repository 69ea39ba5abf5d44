"""Pseudonyms of people (证件散列码): by what partners join what they hold of somebody without numbers of documents.

The national identity system gives its own function, of name and number; a region brings it as ``[pseudonyms] plugin``. Where none is
named, a keyed hash of the account stands for the person, another for each who reads.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from libs.access.actor import Actor, Standing
from libs.crypto.envelope import FieldCipher
from libs.crypto.keystore import Algorithm, KeyStore
from libs.crypto.provider import SmProvider
from services.identity.config import PseudonymSection
from services.identity.core.accounts import Person

LONGEST = 128
"""So many characters a pseudonym has at most (as in the contract)."""
_KEY = "pseudonyms"


@dataclass(frozen=True, slots=True)
class PseudonymSubject:
    """Of whom a pseudonym is made, and for whom.

    Attributes:
        person: the account, `persons/<uuid>`.
        full_name, type_code, number: as the document says on which the account stands.
        reader: for whom it is made: `clients/<id>`, or a region `//<region>`, this one for everybody else in it.
    """

    person: str
    full_name: str
    type_code: str
    number: str
    reader: str


class Pseudonymizer(Protocol):
    """Makes pseudonyms: the same of the same, and nothing to be read from. It answers at once, without any I/O."""

    def pseudonym(self, subject: PseudonymSubject) -> str:
        """Returns the pseudonym, of 1 to 128 characters."""


class KeyedPseudonyms:
    """HMAC-SM3 (GB/T 15852.2) under a key of the region's: of the account, for one reader.

    It stays while documents and names change, two readers can't compare theirs, and who tries all numbers finds nothing.
    """

    def __init__(self, store: KeyStore, provider: SmProvider) -> None:
        self._key = store.ensure(_KEY, Algorithm.HMAC_SM3).secret
        self._provider = provider

    def pseudonym(self, subject: PseudonymSubject) -> str:
        """Returns 64 hexadecimal digits."""
        # Names hold no line break: nothing else is written so.
        return self._provider.hmac_sm3(self._key, f"{subject.reader}\n{subject.person}".encode()).hex()


class Pseudonyms:
    """Pseudonyms of accounts, for who reads them."""

    def __init__(self, maker: Pseudonymizer, cipher: FieldCipher, home: str) -> None:
        self._maker = maker
        self._cipher = cipher
        self._home = home

    def of(self, row: Person, reader: Actor) -> str:
        """Returns the pseudonym of a person for who reads; raises ValueError where what the region brought makes none."""
        made = self._maker.pseudonym(
            PseudonymSubject(
                person=row.name,
                full_name=row.clear_name(self._cipher),
                type_code=row.document_type,
                number=row.clear_number(self._cipher),
                reader=self._named(reader),
            )
        )
        if not 1 <= len(made) <= LONGEST:
            raise ValueError("the pseudonym is empty or too long")
        return made

    def _named(self, reader: Actor) -> str:
        if reader.standing is Standing.CLIENT:
            return reader.subject
        return f"//{reader.region or self._home}"


def pseudonymizer_of(section: PseudonymSection, store: KeyStore, provider: SmProvider) -> Pseudonymizer:
    """Returns what the configuration names, or the region's own."""
    if not section.plugin:
        return KeyedPseudonyms(store, provider)
    module, _, function = section.plugin.partition(":")
    make = cast("Callable[[PseudonymSection], Pseudonymizer]", getattr(importlib.import_module(module), function))
    return make(section)
