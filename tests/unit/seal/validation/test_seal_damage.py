"""Files that are damaged at random, by a seed: each gets a report or a refusal, and none that changes what is sealed is VALID."""

import random
from collections.abc import Callable

import pytest

from libs.documents.ofd import open_ofd, pack
from libs.errors import InvalidArgument
from services.seal.validation.documents import SealReport, validate_document, validate_seal
from services.seal.validation.rules import Conclusion
from tests.support import ber
from tests.support.seals import VALUE, SealKit, ofd_document

Damage = Callable[[random.Random, bytes], bytes]


def _flip(choose: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(choose.randrange(1, 4)):
        changed[choose.randrange(len(changed))] ^= 1 << choose.randrange(8)
    return bytes(changed)


def _cut(choose: random.Random, data: bytes) -> bytes:
    start, end = sorted(choose.choices(range(len(data)), k=2))
    return data[:start] + data[end:]


def _double(choose: random.Random, data: bytes) -> bytes:
    start, end = sorted(choose.choices(range(len(data)), k=2))
    return data[:end] + data[start:end] * choose.randrange(1, 30) + data[end:]


def _put(choose: random.Random, data: bytes) -> bytes:
    at = choose.randrange(len(data))
    return data[:at] + choose.choice(_PUT) + data[at:]


_PUT = (
    b"\0",
    b"\x30\x80",
    b"\x24\x80",
    b"\x06\x82\xff\xff",
    b"\xff" * 40,
    b"<![CDATA[",
    b"<!--",
    b"&a;",
    b"<ofd:Reference/>",
    b"%PDF-1.7",
    b"<!DOCTYPE a>",
    b"../",
    b"\xef\xbb\xbf",
    b"<?xml version='1.0' encoding='UTF-7'?>",
    "⿰\u202e".encode(),
)
DAMAGES: tuple[Damage, ...] = (_flip, _cut, _double, _put)


def _report(data: bytes, kit: SealKit) -> SealReport | None:
    """The report of a document; None where it is refused, which only a limit or its shape may be the reason of."""
    try:
        return validate_document(data, kit.checks())
    except InvalidArgument as error:
        if error.violations[0].rule != "ofd.limits":
            raise
        return None


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_within_a_package(kit: SealKit, damage: Damage) -> None:
    files = dict(open_ofd(kit.sealed(ofd_document())).entries)
    for seed in range(150):
        choose = random.Random(seed)
        name = choose.choice(sorted(files))
        changed = damage(choose, files[name])
        report = _report(pack(files | {name: changed}), kit)
        if report is not None and changed != files[name] and not name.startswith("Doc_0/Signs/"):
            assert report.verdict.conclusion is not Conclusion.TOTAL_PASSED, (seed, name)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_packages(kit: SealKit, damage: Damage) -> None:
    sealed = kit.sealed(ofd_document())
    contents = dict(open_ofd(sealed).entries)
    for seed in range(150):
        data = damage(random.Random(seed), sealed)
        report = _report(data, kit)
        if report is not None and report.verdict.conclusion is Conclusion.TOTAL_PASSED:
            assert dict(open_ofd(data).entries) == contents, seed


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_structures_in_any_form(kit: SealKit, damage: Damage) -> None:
    files = dict(open_ofd(kit.sealed(ofd_document())).entries)
    for seed in range(100):
        choose = random.Random(seed)
        value = ber.anew(files[VALUE], ber.any_form(choose))
        report = _report(pack(files | {VALUE: damage(choose, value)}), kit)
        assert report is None or report.verdict.conclusion is not Conclusion.TOTAL_PASSED
        validate_seal(damage(choose, ber.anew(kit.seal, ber.any_form(choose))), kit.checks())
