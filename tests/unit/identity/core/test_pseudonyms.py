"""Pseudonyms: one for each reader, and whatever function the region brought."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.clock import FakeClock
from libs.crypto.keystore import KeyStore
from libs.crypto.tongsuo import TongsuoProvider
from services.identity.config import PseudonymSection
from services.identity.core.pseudonyms import KeyedPseudonyms, PseudonymSubject, pseudonymizer_of

SUBJECT = PseudonymSubject("persons/1", "张伟", "111", "11010519491231002X", "//341500")


class Shouting:
    """Such a function as a region brings."""

    def __init__(self, section: PseudonymSection) -> None:
        self.prefix = section.options["prefix"]

    def pseudonym(self, subject: PseudonymSubject) -> str:
        return f"{self.prefix}{subject.full_name}{subject.number}"


def _store(folder: Path) -> KeyStore:
    return KeyStore(folder, b"k" * 16, TongsuoProvider(), FakeClock(datetime(2024, 6, 3, tzinfo=UTC)))


def _keyed(folder: Path) -> KeyedPseudonyms:
    return KeyedPseudonyms(_store(folder), TongsuoProvider())


def test_it_is_always_the_same_for_one_reader_and_another_for_each(tmp_path: Path) -> None:
    made = _keyed(tmp_path).pseudonym(SUBJECT)
    assert len(made) == 64
    assert _keyed(tmp_path).pseudonym(SUBJECT) == made
    others = {
        _keyed(tmp_path).pseudonym(each)
        for each in (
            replace(SUBJECT, reader="clients/bank"),
            replace(SUBJECT, reader="clients/hospital"),
            replace(SUBJECT, reader="//320402"),
            replace(SUBJECT, person="persons/2"),
        )
    } | {_keyed(tmp_path / "elsewhere").pseudonym(SUBJECT)}
    assert len(others) == 5
    assert made not in others


def test_it_stays_while_documents_and_names_change(tmp_path: Path) -> None:
    changed = replace(SUBJECT, full_name="张玮", type_code="414", number="EM1234567")
    assert _keyed(tmp_path).pseudonym(changed) == _keyed(tmp_path).pseudonym(SUBJECT)


def test_a_region_brings_the_function_of_the_national_system(tmp_path: Path) -> None:
    section = PseudonymSection(plugin=f"{__name__}:Shouting", options={"prefix": "K-"})
    made = pseudonymizer_of(section, _store(tmp_path), TongsuoProvider())
    assert made.pseudonym(SUBJECT) == "K-张伟11010519491231002X"
    with pytest.raises(ModuleNotFoundError):
        pseudonymizer_of(PseudonymSection(plugin="no.such:thing"), _store(tmp_path), TongsuoProvider())
