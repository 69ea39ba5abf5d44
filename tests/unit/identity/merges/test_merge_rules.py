"""Which accounts may become one."""

from dataclasses import replace

import pytest

from libs.errors import FailedPrecondition
from services.identity.merges.rules import MergedAccount, check_mergeable, check_two

CARD, PASSPORT = ("111", b"card"), ("414", b"passport")
KEPT = MergedAccount("persons/kept", "张伟", 2, frozenset({CARD}), 0, of_staff=True)
MERGED = MergedAccount("persons/merged", "张伟", 2, frozenset({PASSPORT}), 0, of_staff=False)
MANY = frozenset(("414", bytes([each])) for each in range(9))


def _rule(kept: MergedAccount, merged: MergedAccount) -> str:
    with pytest.raises(FailedPrecondition) as refused:
        check_mergeable(kept, merged)
    assert refused.value.reason == "PERSONS_NOT_MERGEABLE"
    assert refused.value.metadata["kept"] == kept.name
    assert refused.value.metadata["merged"] == merged.name
    return refused.value.metadata["rule"]


@pytest.mark.parametrize(
    ("kept", "merged"),
    [
        (KEPT, MERGED),
        (KEPT, replace(MERGED, full_name="张 伟")),
        (replace(KEPT, assurance=4), replace(MERGED, assurance=4)),
        (KEPT, replace(MERGED, assurance=0)),
        # Numbers of passports change, and one number of one's own may stand in both.
        (replace(KEPT, documents=frozenset({PASSPORT})), replace(MERGED, documents=frozenset({("414", b"old")}))),
        (KEPT, replace(MERGED, documents=frozenset({CARD}))),
        (KEPT, replace(MERGED, documents=MANY)),
        (replace(KEPT, took_in=2), replace(MERGED, took_in=2)),
    ],
)
def test_accounts_that_become_one(kept: MergedAccount, merged: MergedAccount) -> None:
    check_mergeable(kept, merged)


@pytest.mark.parametrize(
    ("kept", "merged", "rule"),
    [
        (KEPT, replace(MERGED, full_name="张玮"), "names"),
        (KEPT, replace(MERGED, documents=frozenset({("111", b"other")})), "documents"),
        (KEPT, replace(MERGED, documents=MANY | {("414", b"one more")}), "documents.most"),
        (KEPT, replace(MERGED, assurance=3), "assurance"),
        (replace(KEPT, assurance=1), replace(MERGED, assurance=0), "assurance"),
        (KEPT, replace(MERGED, of_staff=True), "staff"),
        (replace(KEPT, took_in=5), MERGED, "merged.most"),
        (replace(KEPT, took_in=2), replace(MERGED, took_in=3), "merged.most"),
    ],
)
def test_accounts_that_stay_two(kept: MergedAccount, merged: MergedAccount, rule: str) -> None:
    assert _rule(kept, merged) == rule


def test_an_account_is_not_taken_in_by_itself() -> None:
    check_two("persons/kept", "persons/merged")
    with pytest.raises(FailedPrecondition) as refused:
        check_two("persons/kept", "persons/kept")
    assert refused.value.metadata["rule"] == "same"
