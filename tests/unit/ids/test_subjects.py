"""The few shapes that a subject has; all else is nobody."""

import pytest

from libs.ids.subjects import Subject, SubjectKind, check_named, parse_subject

UUID = "00000000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        (f"persons/{UUID}", Subject(SubjectKind.PERSON, UUID)),
        (f"//320402/staff/{UUID}", Subject(SubjectKind.STAFF, UUID, "320402")),
        ("clients/e-1", Subject(SubjectKind.CLIENT, "e-1")),
        (f"clients/{'x' * 63}", Subject(SubjectKind.CLIENT, "x" * 63)),
        ("services/abc", Subject(SubjectKind.SERVICE, "abc")),
        ("//320402/services/cases", Subject(SubjectKind.SERVICE, "cases", "320402")),
        ("//wanzhi/services/cases", Subject(SubjectKind.SERVICE, "cases", "wanzhi")),
    ],
)
def test_a_subject_is_read(text: str, subject: Subject) -> None:
    assert parse_subject(text) == subject


@pytest.mark.parametrize(
    "text",
    [
        "",
        "persons/",
        "persons/cases",
        f"Persons/{UUID}",
        f"persons/{UUID}/x",
        f"persons/{UUID} ",
        f"persons/{UUID.upper().replace('8000', 'ABCD')}",
        f"/320402/persons/{UUID}",
        f"//3/persons/{UUID}",
        f"//-wanzhi/persons/{UUID}",
        f"//wanzhi-/persons/{UUID}",
        f"//Wanzhi/persons/{UUID}",
        f"departments/{UUID}",
        "clients/ab",
        f"clients/{'x' * 64}",
        "clients/-ab",
        "services/cases2",
        "services/ab",
        f"services/{'x' * 31}",
        "//320402/clients/hall",
    ],
)
def test_another_shape_is_nobody(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_subject(text)


@pytest.mark.parametrize(
    ("text", "region"), [(f"mandates/{UUID}", ""), (f"//320402/mandates/{UUID}", "320402"), (f"firms/{UUID}", "")]
)
def test_a_name_of_the_kind_and_region_is_taken(text: str, region: str) -> None:
    check_named(text, region, "mandates", "firms")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("", ""),
        (f"mandates/{UUID}", "320402"),
        (f"//320402/mandates/{UUID}", ""),
        (f"//320402/mandates/{UUID}", "320403"),
        (f"persons/{UUID}", ""),
        ("mandates/1", ""),
        (f"mandates/{UUID}/x", ""),
    ],
)
def test_another_name_is_not(text: str, region: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_named(text, region, "mandates", "firms")
