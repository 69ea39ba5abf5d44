"""The first and the last number that is one, and what is said of the next: rule and field."""

from collections.abc import Callable
from datetime import date

import pytest

from libs.errors import InvalidArgument
from libs.ids import citizen_id, license_identifier, names, region, uscc
from libs.ids.documents import normal_number
from libs.ids.license_identifier import LicenseIdentifier, build, parse_tolerant
from libs.ids.names import ResourceName
from libs.ids.region import Level, Region

TODAY = date(2024, 3, 4)
TYPE, ISSUER = "11100000000013338W011", "11430000006122244L"
V7, V4 = "00000000-0000-7000-8000-000000000001", "00000000-0000-4000-8000-000000000001"


def born(day: str, province: str = "11", serial: str = "001") -> str:
    body = f"{province}0105{day}{serial}"
    return body + citizen_id.check_char(body)


def resident(day: str) -> str:
    body = f"911156{day}001"
    return body + citizen_id.check_char(body)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: citizen_id.parse("1" * 17, "f"), "citizen_id.shape"),
        (lambda: citizen_id.parse(born("20240304", "84"), "f"), "citizen_id.province"),
        (lambda: citizen_id.parse(born("18491231"), "f"), "citizen_id.birth_date"),
        (lambda: citizen_id.parse(born("20230229"), "f"), "citizen_id.birth_date"),
        (lambda: citizen_id.parse(born("20240305"), "f", TODAY), "citizen_id.birth_date"),
        (lambda: citizen_id.parse("110105194912310021", "f"), "citizen_id.check"),
        (lambda: citizen_id.from_first_generation("11010549123100", "f"), "citizen_id.shape"),
        (lambda: citizen_id.from_first_generation("990105491231002", "f"), "citizen_id.province"),
        (lambda: uscc.parse("91110000600037341", "f"), "uscc.shape"),
        (lambda: uscc.parse("91110000600037341ſ", "f"), "uscc.shape"),
        (lambda: uscc.parse("91110000600037341X", "f"), "uscc.check"),
        (lambda: normal_number("111", "1", "f", TODAY), "citizen_id.shape"),
        (lambda: normal_number("111", born("20240305"), "f", TODAY), "citizen_id.birth_date"),
        (lambda: normal_number("001", "1", "f", TODAY), "uscc.shape"),
        (lambda: normal_number("553", "8" + resident("19900101")[1:], "f", TODAY), "residence_number.shape"),
        (lambda: normal_number("553", resident("19900230"), "f", TODAY), "residence_number.birth_date"),
        (lambda: normal_number("553", resident("18491231"), "f", TODAY), "residence_number.birth_date"),
        (lambda: normal_number("553", resident("20240305"), "f", TODAY), "residence_number.birth_date"),
        (lambda: normal_number("553", resident("19900101")[:17] + "?", "f", TODAY), "residence_number.shape"),
        (lambda: normal_number("414", " ", "f", TODAY), "document.number"),
        (lambda: normal_number("414", "1\u200b2", "f", TODAY), "document.number"),
        (lambda: region.parse("3415000000000", "f"), "region_code.shape"),
        (lambda: region.parse("840000", "f"), "region_code.province"),
        (lambda: names.parse(f"persons/{'x' * 129}", "f"), "resource_name.shape"),
        (lambda: names.parse("licenses/1", "f", "persons"), "resource_name.collection"),
        (lambda: names.parse_local(f"persons/{V4}", "f", "persons", "341500"), "resource_name.uuid"),
        (lambda: names.parse_local(f"licenses/{V7}", "f", "persons", "341500"), "resource_name.collection"),
    ],
)
def test_what_is_just_no_number_is_named_with_its_rule(call: Callable[[], object], rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call()
    assert [(each.field, each.rule) for each in refused.value.violations] == [("f", rule)]
    assert all(each.description.strip() for each in refused.value.violations)


def test_what_is_just_one_is_taken() -> None:
    assert citizen_id.parse(born("18500101"), "f").birth_date == date(1850, 1, 1)
    assert citizen_id.parse(born("20240304"), "f", TODAY).birth_date == TODAY
    assert citizen_id.parse(born("20240305"), "f").birth_date == date(2024, 3, 5)
    assert citizen_id.parse(born("19900101", "83"), "f").region_code == "830105"
    assert normal_number("553", resident("20240304"), "f", TODAY) == resident("20240304")
    assert normal_number("553", resident("18500101"), "f", TODAY) == resident("18500101")
    assert normal_number("111", f" {born('20240304')}\n", "f", TODAY) == born("20240304")
    assert names.parse(f"persons/{'x' * 128}", "f").id == "x" * 128
    assert names.parse_local(f"//341500/persons/{V7}", "f", "persons", "341500") == ResourceName("", "persons", V7)


def test_a_number_that_is_none_is_not_valid() -> None:
    assert citizen_id.is_valid(born("19900101"))
    assert not citizen_id.is_valid(born("18491231"))
    assert uscc.is_valid("91110000600037341L")
    assert not uscc.is_valid("91110000600037341X")


def identifier(
    type_code: str = TYPE, issuer: str = ISSUER, serial: str = "1", version: str = "001", check: str = ""
) -> str:
    made = check or license_identifier.check_char(f"{type_code}{issuer}{serial}{version}")
    return f"{license_identifier.ROOT}.{type_code}.{issuer}.{serial}.{version}.{made}"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (identifier(), ()),
        (identifier(serial="1" * 32, version="999"), ()),
        (identifier(serial="1" * 33), ("serial",)),
        (identifier(serial="1" * 64), ("serial",)),
        (identifier(issuer="340100"), ("issuer_code",)),
        (identifier(issuer="34010000000000000A"), ("issuer_code",)),
        (identifier(type_code="11100000000013338X011"), ("type_code",)),
        (identifier(version="000"), ("version",)),
        (identifier()[:-1] + ("A" if identifier()[-1] != "A" else "B"), ("check",)),
        (identifier().removeprefix("1.2.156.3005.2."), ("root",)),
        (identifier(issuer="340100", serial="1" * 33, version="000")[len("1.2.156.3005.2.") :], None),
    ],
)
def test_an_import_says_everything_that_is_odd(text: str, problems: tuple[str, ...] | None) -> None:
    found, odd = parse_tolerant(text, "f")
    assert odd == (("root", "issuer_code", "serial", "version") if problems is None else problems)
    assert str(found).endswith(text.removeprefix("1.2.156.3005.2."))
    if odd:
        with pytest.raises(InvalidArgument) as refused:
            license_identifier.parse(text, "f")
        assert [(each.field, each.rule) for each in refused.value.violations] == [("f", f"license_identifier.{odd[0]}")]
        assert odd[0].replace("_", " ") in refused.value.violations[0].description


@pytest.mark.parametrize(
    "text",
    [
        identifier(serial="1" * 65),
        identifier(issuer="34010"),
        identifier(issuer="3" * 19),
        identifier(type_code=TYPE[:20]),
        identifier(version="01"),
        identifier(check="a"),
        identifier(check="AB"),
        f"{identifier()}.1",
        identifier().replace(f".{ISSUER}", ""),
    ],
)
def test_what_can_not_be_told_apart_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_tolerant(text, "f")
    assert [(each.field, each.rule) for each in refused.value.violations] == [("f", "license_identifier.shape")]


def test_a_licence_has_999_versions() -> None:
    last = build(TYPE, ISSUER, "1", 998).next_version()
    assert (last.version, last.serial) == (999, "1")
    assert build(TYPE, ISSUER, "1") == LicenseIdentifier(TYPE, ISSUER, "1", 1, identifier()[-1])
    with pytest.raises(ValueError, match="version"):
        last.next_version()
    for wrong, part in (((TYPE, ISSUER.lower(), "1"), "issuer_code"), ((TYPE[:20], ISSUER, "1"), "type_code")):
        with pytest.raises(ValueError, match=part):
            build(*wrong)


def test_a_region_is_part_of_those_above_it() -> None:
    country = region.parse("000000", "f")
    village, town = region.parse("341522101203", "f"), region.parse("341522101", "f")
    assert (country.level, country.province, country.parent) == (Level.NATIONAL, "", country)
    assert country.contains(village) and country.contains(country) and not village.contains(country)
    assert town.contains(village) and town.contains(town) and not village.contains(town)
    assert (village.parent, town.parent) == (town, Region("341522000000"))
    assert town.parent.parent == Region("341500000000")
    assert not region.parse("341523", "f").contains(village)
    assert region.parse("100000", "f") == region.parse("100000000000", "f") == country
    assert region.parse("660000", "f").province == "新疆生产建设兵团"


def test_a_name_is_relative_to_its_reader() -> None:
    home, there = ResourceName("", "persons", "1"), ResourceName("320402", "persons", "1")
    assert [each.is_foreign("320402") for each in (home, there)] == [False, False]
    assert [each.is_foreign("341500") for each in (home, there)] == [False, True]
    assert there.relative_to("320402") == home
    assert there.relative_to("341500") == there
    assert (str(home.absolute("320402")), str(there.absolute("341500"))) == ("//320402/persons/1", str(there))
