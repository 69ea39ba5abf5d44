import pytest

from libs.errors import InvalidArgument, PermissionDenied
from services.identity.accounts.rules import OrganizationKind, check_kind
from services.identity.core.scopes import both, check_covered, covers, narrow, within


@pytest.mark.parametrize(
    ("held", "wanted", "answer"),
    [
        ("cases.cases.get", "cases.cases.get", True),
        ("cases.cases.*", "cases.cases.get", True),
        ("cases.*", "cases.cases.*", True),
        ("*", "cases.*", True),
        ("cases.cases.*", "cases.*", False),
        ("cases.cases.get", "cases.cases.*", False),
        ("cases.case.*", "cases.cases.get", False),
        ("cases.*", "*", False),
    ],
)
def test_patterns_include_what_they_say(held: str, wanted: str, answer: bool) -> None:
    assert covers([held], wanted) is answer


def test_nothing_asked_gives_everything() -> None:
    assert narrow(("a.b.c", "a.d.*"), "") == ("a.b.c", "a.d.*")


def test_what_is_asked_is_given_once_or_refused() -> None:
    assert narrow(("a.d.*",), "a.d.x a.d.y a.d.x") == ("a.d.x", "a.d.y")
    with pytest.raises(PermissionDenied, match="SCOPE_NOT_GRANTED") as error:
        narrow(("a.d.*",), "a.d.x a.e.x")
    assert error.value.metadata == {"scope": "a.e.x"}
    with pytest.raises(PermissionDenied):
        check_covered((), ["a.b.c"])


def test_a_role_is_cut_to_its_limits() -> None:
    assert within(("a.b.c", "a.b.d", "x.y.z"), ("a.b.*",)) == ("a.b.c", "a.b.d")
    assert within(("a.b.c", "x.y.z"), ("a.b.c",), ("x.*",)) == ("a.b.c", "x.y.z")


def test_two_sets_have_in_common_what_the_narrower_says() -> None:
    assert both(("x.y.*", "a.b.c", "k.l.m"), ("a.*", "x.y.z")) == ("a.b.c", "x.y.z")
    assert both(("a.b.c",), ("a.b.c",)) == ("a.b.c",)
    assert both(("a.b.c",), ("a.d.*",)) == both((), ("*",)) == ()


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("91", OrganizationKind.ENTERPRISE),
        ("91", OrganizationKind.UNINCORPORATED_ENTERPRISE),
        ("52", OrganizationKind.SOCIAL_ORGANIZATION),
        ("A1", OrganizationKind.OTHER),
    ],
)
def test_a_code_fits_its_kind(category: str, kind: OrganizationKind) -> None:
    check_kind(category, kind)


@pytest.mark.parametrize(
    ("category", "kind"),
    [("11", OrganizationKind.ENTERPRISE), ("92", OrganizationKind.ENTERPRISE), ("91", OrganizationKind.OTHER)],
)
def test_a_code_of_another_kind_is_refused(category: str, kind: OrganizationKind) -> None:
    with pytest.raises(InvalidArgument) as error:
        check_kind(category, kind)
    assert error.value.violations[0].rule == "uscc.kind"
