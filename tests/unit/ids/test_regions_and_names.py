"""Region codes, resource names and synthetic data."""

import pytest

from libs.errors import InvalidArgument
from libs.ids import citizen_id, names, region, uscc
from libs.ids.citizen_id import Sex
from libs.ids.region import Level
from libs.ids.synthetic import SyntheticPopulation
from libs.ids.uuid7 import uuid7


@pytest.mark.parametrize(
    ("text", "code", "level", "parent"),
    [
        ("340000", "340000000000", Level.PROVINCE, "000000000000"),
        ("341500", "341500000000", Level.PREFECTURE, "340000000000"),
        ("320402", "320402000000", Level.COUNTY, "320400000000"),
        ("320402001", "320402001000", Level.TOWN, "320402000000"),
        ("320402001002", "320402001002", Level.VILLAGE, "320402001000"),
        ("100000", "000000000000", Level.NATIONAL, "000000000000"),
        ("110000000000", "110000000000", Level.PROVINCE, "000000000000"),
    ],
)
def test_region(text: str, code: str, level: Level, parent: str) -> None:
    parsed = region.parse(text, "region")
    assert (str(parsed), parsed.level, str(parsed.parent)) == (code, level, parent)
    assert parsed.parent.contains(parsed)
    assert parsed.short == code[:6]


def test_region_contains() -> None:
    anhui, luan, tianning = (region.parse(code, "region") for code in ("340000", "341500", "320402"))
    assert anhui.contains(luan)
    assert not luan.contains(anhui)
    assert not anhui.contains(tianning)
    assert anhui.province == "安徽省"


@pytest.mark.parametrize(
    ("text", "rule"), [("34", "shape"), ("34150a", "shape"), ("991500", "province"), ("3415000", "shape")]
)
def test_bad_region(text: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        region.parse(text, "region")
    assert error.value.violations[0].rule == f"region_code.{rule}"


def test_resource_name_at_home_and_abroad() -> None:
    identifier = uuid7()
    foreign = names.parse(f"//341500/persons/{identifier}", "name", "persons")
    assert foreign == names.ResourceName("341500", "persons", identifier)
    assert foreign.is_foreign("320402")
    assert str(foreign.relative_to("320402")) == f"//341500/persons/{identifier}"
    assert str(foreign.relative_to("341500")) == f"persons/{identifier}"
    home = names.parse(f"persons/{identifier}", "name")
    assert home.absolute("341500") == foreign
    assert names.parse_local(str(foreign), "name", "persons", "341500") == home


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "shape"),
        ("persons", "shape"),
        ("persons/", "shape"),
        ("/persons/1", "shape"),
        ("//3/persons/1", "shape"),
        ("//WANZHI/persons/1", "shape"),
        ("//-wanzhi/persons/1", "shape"),
        ("//wanzhi-/persons/1", "shape"),
        ("//wan.zhi/persons/1", "shape"),
        ("//湾沚/persons/1", "shape"),
        (f"//{'w' * 33}/persons/1", "shape"),
        ("persons/a/b", "shape"),
        ("persons/a b", "shape"),
        ("persons/1\n", "shape"),
        ("licenses/1", "collection"),
    ],
)
def test_bad_resource_name(text: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        names.parse(text, "name", "persons")
    assert error.value.violations[0].rule == f"resource_name.{rule}"


def test_local_name_refuses_other_regions_and_other_ids() -> None:
    with pytest.raises(InvalidArgument) as error:
        names.parse_local(f"//320402/persons/{uuid7()}", "name", "persons", "341500")
    assert (error.value.reason, error.value.metadata) == ("REGION_MISMATCH", {"region": "320402"})
    with pytest.raises(InvalidArgument) as error:
        names.parse_local("persons/1", "name", "persons", "341500")
    assert error.value.violations[0].rule == "resource_name.uuid"


def test_synthetic_numbers_are_valid_repeatable_and_in_no_real_county() -> None:
    first, second = SyntheticPopulation("seed", "32"), SyntheticPopulation("seed", "32")
    people = [first.person() for _ in range(500)]
    assert people == [second.person() for _ in range(500)]
    assert len({person.citizen_id for person in people}) == 500
    assert all(citizen_id.is_valid(p.citizen_id) and p.citizen_id.startswith("329999") for p in people)
    firms = [first.firm() for _ in range(500)]
    assert all(uscc.is_valid(firm.uscc) and firm.uscc[2:8] == "329999" for firm in firms)
    assert all(uscc.organization_check_char(f.uscc[8:16]) == f.uscc[16] for f in firms)
    assert uscc.parse(first.uscc("11"), "code").category == "11"


def test_synthetic_person_of_a_wanted_sex() -> None:
    population = SyntheticPopulation(1)
    assert {citizen_id.parse(population.citizen_id(sex=Sex.FEMALE), "id").sex for _ in range(50)} == {Sex.FEMALE}


def test_a_population_runs_out_rather_than_repeats() -> None:
    population = SyntheticPopulation(1)
    born = population.person().birth_date
    drawn = {population.citizen_id(born, Sex.MALE) for _ in range(450)}
    assert len(drawn) == 450
    with pytest.raises(OverflowError):
        drawn.update(population.citizen_id(born, Sex.MALE) for _ in range(100))
