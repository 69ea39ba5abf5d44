import pytest

from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from services.cases.core.states import CaseState
from services.cases.ratings.rules import GivenRating, RatingKind, Satisfaction, check_new, effective_level
from services.cases.ratings.satisfaction import Coding, decode, encode

CASE = "cases/x"
FIRST, FOLLOW_UP = RatingKind.FIRST, RatingKind.FOLLOW_UP


def test_one_rating_and_one_follow_up() -> None:
    check_new(CASE, CaseState.CLOSED, [], FIRST)
    check_new(CASE, CaseState.DELIVERED, [FIRST], FOLLOW_UP)
    with pytest.raises(AlreadyExists):
        check_new(CASE, CaseState.CLOSED, [FIRST], FIRST)
    with pytest.raises(AlreadyExists):
        check_new(CASE, CaseState.CLOSED, [FIRST, FOLLOW_UP], FOLLOW_UP)
    with pytest.raises(FailedPrecondition) as caught:
        check_new(CASE, CaseState.CLOSED, [], FOLLOW_UP)
    assert caught.value.reason == "RATING_FIRST_MISSING"


@pytest.mark.parametrize("state", CaseState)
def test_rated_at_the_end(state: CaseState) -> None:
    if state in ("NOT_ACCEPTED", "CLOSED", "DELIVERED", "TERMINATED"):
        check_new(CASE, state, [], FIRST)
        return
    with pytest.raises(FailedPrecondition):
        check_new(CASE, state, [], FIRST)


def test_which_rating_counts() -> None:
    bad = GivenRating(FIRST, Satisfaction.DISSATISFIED)
    better = GivenRating(FOLLOW_UP, Satisfaction.SATISFIED)
    default = GivenRating(FIRST, Satisfaction.SATISFIED, is_default=True)
    assert effective_level([bad, better]) is Satisfaction.DISSATISFIED
    assert effective_level([default, better]) is None
    assert effective_level([]) is None


def test_basically_satisfied_counts_as_good() -> None:
    assert [level.name for level in Satisfaction if level.is_bad] == ["DISSATISFIED", "VERY_DISSATISFIED"]


# GB/T 39046-2020 table A.8 and the reporting interface, by the Chinese words.
WORDS = {
    "非常满意": Satisfaction.VERY_SATISFIED,
    "满意": Satisfaction.SATISFIED,
    "基本满意": Satisfaction.BASICALLY_SATISFIED,
    "不满意": Satisfaction.DISSATISFIED,
    "非常不满意": Satisfaction.VERY_DISSATISFIED,
}
GB_T_39046 = {"非常满意": 1, "满意": 2, "基本满意": 3, "不满意": 4, "非常不满意": 5}
NATIONAL = {"非常不满意": 1, "不满意": 2, "基本满意": 3, "满意": 4, "非常满意": 5}


@pytest.mark.parametrize("word", WORDS)
def test_the_two_codings_are_opposite(word: str) -> None:
    level = WORDS[word]
    assert encode(level, Coding.GB_T_39046) == GB_T_39046[word]
    assert encode(level, Coding.NATIONAL_REPORTING) == NATIONAL[word]
    for coding in Coding:
        assert decode(encode(level, coding), coding) is level


@pytest.mark.parametrize("coding", Coding)
@pytest.mark.parametrize("number", [0, 6])
def test_no_such_level(coding: Coding, number: int) -> None:
    with pytest.raises(InvalidArgument):
        decode(number, coding)
