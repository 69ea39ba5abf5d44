"""Citizen id, USCC and licence identifier against the published vectors."""

from datetime import date
from typing import Any

import pytest

from libs.errors import InvalidArgument
from libs.ids import citizen_id, license_identifier, uscc
from libs.ids.citizen_id import Sex
from tests.support.vectors import load

CITIZENS = load("citizen_id")
FIRMS = load("uscc")
LICENSES = load("license_identifier")
TYPE, ISSUER = "11100000000013338W011", "11430000006122244L"
LAND_CHECK = license_identifier.check_char(f"{TYPE}.340100.1.001")


def rule_of(error: pytest.ExceptionInfo[InvalidArgument]) -> str:
    (violation,) = error.value.violations
    assert violation.field == "the_field"
    return violation.rule


@pytest.mark.parametrize("vector", CITIZENS["valid"], ids=lambda v: v["origin"])
def test_valid_citizen_id(vector: dict[str, Any]) -> None:
    parsed = citizen_id.parse(vector["number"].lower(), "the_field", date(2024, 1, 1))
    assert str(parsed) == vector["number"]
    assert parsed.region_code == vector["region_code"]
    assert parsed.birth_date.isoformat() == vector["birth_date"]
    assert parsed.sex is Sex(vector["sex"])
    assert vector["number"] not in repr(parsed)


@pytest.mark.parametrize("vector", CITIZENS["invalid"], ids=lambda v: v["rule"])
def test_invalid_citizen_id(vector: dict[str, Any]) -> None:
    assert not citizen_id.is_valid(vector["number"])
    with pytest.raises(InvalidArgument) as error:
        citizen_id.parse(vector["number"], "the_field")
    assert rule_of(error) == vector["rule"]
    assert not vector["number"] or vector["number"] not in str(error.value)


def test_citizen_id_born_tomorrow() -> None:
    with pytest.raises(InvalidArgument) as error:
        citizen_id.parse("110101199003070011", "the_field", date(1990, 3, 6))
    assert rule_of(error) == "citizen_id.birth_date"


def test_masked_citizen_id() -> None:
    assert citizen_id.parse("11010519491231002X", "the_field").masked == "110105********002X"


def test_first_generation_number_is_converted() -> None:
    assert str(citizen_id.from_first_generation("110105491231002", "the_field")) == "11010519491231002X"
    with pytest.raises(InvalidArgument):
        citizen_id.from_first_generation("11010549123100", "the_field")


@pytest.mark.parametrize("vector", FIRMS["valid"], ids=lambda v: v["code"])
def test_valid_uscc(vector: dict[str, Any]) -> None:
    parsed = uscc.parse(vector["code"].lower(), "the_field")
    assert str(parsed) == vector["code"]
    assert (parsed.category, parsed.region_code) == (vector["category"], vector["region_code"])
    assert parsed.organization_code == vector["organization_code"]
    assert parsed.authority == vector["code"][0]


@pytest.mark.parametrize("vector", FIRMS["invalid"], ids=lambda v: v["code"] or "empty")
def test_invalid_uscc(vector: dict[str, Any]) -> None:
    assert not uscc.is_valid(vector["code"])
    with pytest.raises(InvalidArgument) as error:
        uscc.parse(vector["code"], "the_field")
    assert rule_of(error) == vector["rule"]


@pytest.mark.parametrize("vector", FIRMS["organization_codes"], ids=lambda v: v["body"])
def test_organization_code(vector: dict[str, Any]) -> None:
    assert uscc.organization_check_char(vector["body"]) == vector["check"]


@pytest.mark.parametrize("vector", LICENSES["checks"], ids=lambda v: v["origin"])
def test_license_identifier_check(vector: dict[str, Any]) -> None:
    assert license_identifier.check_char(vector["body"]) == vector["check"]


@pytest.mark.parametrize("vector", LICENSES["checks"][:2], ids=lambda v: v["origin"])
def test_published_license_identifiers_parse_strictly(vector: dict[str, Any]) -> None:
    text = f"{license_identifier.ROOT}.{vector['body']}.{vector['check']}"
    parsed = license_identifier.parse(text, "the_field")
    assert str(parsed) == text
    assert license_identifier.build(parsed.type_code, parsed.issuer_code, parsed.serial, parsed.version) == parsed


@pytest.mark.parametrize("type_code", LICENSES["type_codes"])
def test_known_type_codes_build(type_code: str) -> None:
    built = license_identifier.build(type_code, ISSUER, "20240000001")
    assert license_identifier.parse(str(built), "the_field") == built
    assert built.next_version().version == 2


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"{license_identifier.ROOT}.{TYPE}.{ISSUER}.20230000403.001.A", ("check",)),
        (f"{TYPE}.{ISSUER}.20230000403.001.U", ("root",)),
        (f"{license_identifier.ROOT}.{TYPE}.340100.1.001.{LAND_CHECK}", ("issuer_code",)),
        (f"{license_identifier.ROOT}.{TYPE}.{ISSUER}.20230000403.000.A", ("version", "check")),
    ],
)
def test_import_flags_what_issue_refuses(text: str, problems: tuple[str, ...]) -> None:
    identifier, found = license_identifier.parse_tolerant(text, "the_field")
    assert found == problems
    assert str(identifier).endswith(text.removeprefix(license_identifier.ROOT))
    with pytest.raises(InvalidArgument) as error:
        license_identifier.parse(text, "the_field")
    assert rule_of(error) == f"license_identifier.{problems[0]}"


@pytest.mark.parametrize(
    "text", ["", "a.b", f"{license_identifier.ROOT}.{TYPE}.{ISSUER}.2023x.001.U", "1.2.156.3005.2....."]
)
def test_unreadable_license_identifier(text: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        license_identifier.parse_tolerant(text, "the_field")
    assert rule_of(error) == "license_identifier.shape"


@pytest.mark.parametrize(
    ("issuer", "serial", "version"), [("340100", "1", 1), (ISSUER, "a", 1), (ISSUER, "1", 1000), (ISSUER, "1" * 33, 1)]
)
def test_build_is_strict(issuer: str, serial: str, version: int) -> None:
    with pytest.raises(ValueError, match="can't be built"):
        license_identifier.build(TYPE, issuer, serial, version)
