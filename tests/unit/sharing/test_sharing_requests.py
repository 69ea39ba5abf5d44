"""Requests: states, separation, deadlines."""

from datetime import date, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from services.sharing.domain import deadlines
from services.sharing.domain.catalog import SharingClass
from services.sharing.domain.requests import Progress, RequestState, Step, advance

HOLIDAYS = {date(2024, 5, day) for day in (1, 2, 3, 4, 5)}
LIMITS = deadlines.Limits()


def works(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS


def add(day: date, days: int) -> date:
    while days:
        day += timedelta(days=1)
        days -= works(day)
    return day


def count(first: date, last: date) -> int:
    return sum(works(first + timedelta(days=n)) for n in range(1, (last - first).days + 1))


def progress(state: RequestState, **more: object) -> Progress:
    return Progress(
        name="requests/1",
        state=state,
        applicant="persons/a",
        pre_reviewer="persons/p",
        reviewer="persons/r",
        **more,  # type: ignore[arg-type]
    )


def test_the_whole_way() -> None:
    request = Progress(name="requests/1", state=RequestState.DRAFT, applicant="persons/a")
    state = advance(request, Step.SUBMIT, "persons/a")
    assert state is RequestState.SUBMITTED
    request = Progress(name="requests/1", state=state, applicant="persons/a")
    state = advance(request, Step.PRE_REVIEW, "persons/p")
    assert state is RequestState.PRE_REVIEWED
    request = Progress(name="requests/1", state=state, applicant="persons/a", pre_reviewer="persons/p")
    state = advance(request, Step.REVIEW, "persons/r")
    assert state is RequestState.PROVIDER_REVIEW
    assert advance(progress(state), Step.APPROVE, "persons/d") is RequestState.GRANTED
    assert advance(progress(state), Step.REFUSE, "persons/d") is RequestState.REFUSED


ALLOWED = {
    (RequestState.DRAFT, Step.SUBMIT),
    (RequestState.DRAFT, Step.WITHDRAW),
    (RequestState.SUBMITTED, Step.PRE_REVIEW),
    (RequestState.SUBMITTED, Step.ASK_SUPPLEMENT),
    (RequestState.SUBMITTED, Step.WITHDRAW),
    (RequestState.SUPPLEMENT_REQUESTED, Step.SUPPLEMENT),
    (RequestState.SUPPLEMENT_REQUESTED, Step.WITHDRAW),
    (RequestState.PRE_REVIEWED, Step.REVIEW),
    (RequestState.PRE_REVIEWED, Step.ASK_SUPPLEMENT),
    (RequestState.PRE_REVIEWED, Step.WITHDRAW),
    (RequestState.PROVIDER_REVIEW, Step.APPROVE),
    (RequestState.PROVIDER_REVIEW, Step.REFUSE),
    (RequestState.PROVIDER_REVIEW, Step.ASK_SUPPLEMENT),
    (RequestState.PROVIDER_REVIEW, Step.WITHDRAW),
}


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("step", Step)
def test_only_these_steps_exist(state: RequestState, step: Step) -> None:
    if (state, step) in ALLOWED:
        advance(progress(state), step, "persons/other")
    else:
        with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
            advance(progress(state), step, "persons/other")


@pytest.mark.parametrize(
    ("state", "step", "actors"),
    [
        (RequestState.SUBMITTED, Step.PRE_REVIEW, "a"),
        (RequestState.PRE_REVIEWED, Step.REVIEW, "ap"),
        (RequestState.PROVIDER_REVIEW, Step.APPROVE, "apr"),
        (RequestState.PROVIDER_REVIEW, Step.REFUSE, "apr"),
    ],
)
def test_nobody_acts_at_two_steps(state: RequestState, step: Step, actors: str) -> None:
    for actor in actors:
        with pytest.raises(PermissionDenied, match="REVIEW_NOT_SEPARATED"):
            advance(progress(state), step, f"persons/{actor}")


def test_material_is_asked_for_once() -> None:
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        advance(progress(RequestState.PROVIDER_REVIEW, supplement_asked=True), Step.ASK_SUPPLEMENT, "persons/r")


def test_answer_by_sharing_class() -> None:
    submitted = date(2024, 4, 30)
    assert deadlines.answer_due(SharingClass.UNCONDITIONAL, submitted, LIMITS, add) == date(2024, 5, 6)
    assert deadlines.answer_due(SharingClass.CONDITIONAL, submitted, LIMITS, add) == date(2024, 5, 17)
    own = deadlines.Limits(answer_unconditional=2, answer_conditional=5)
    assert deadlines.answer_due(SharingClass.CONDITIONAL, submitted, own, add) == date(2024, 5, 10)


def test_extension_within_its_limit() -> None:
    assert deadlines.extended(date(2024, 5, 17), 10, LIMITS, add) == date(2024, 5, 31)
    for days in (0, 11):
        with pytest.raises(InvalidArgument):
            deadlines.extended(date(2024, 5, 17), days, LIMITS, add)


def test_a_supplement_moves_the_deadline_by_the_working_days_it_took() -> None:
    due = date(2024, 5, 17)
    assert deadlines.resumed(due, date(2024, 4, 30), date(2024, 5, 7), count, add) == date(2024, 5, 21)
    assert deadlines.resumed(due, date(2024, 5, 7), date(2024, 5, 7), count, add) == due


def test_other_deadlines() -> None:
    day = date(2024, 5, 6)
    assert deadlines.supply_due(day, LIMITS, add) == date(2024, 6, 3)
    assert deadlines.verification_due(day, LIMITS, add) == date(2024, 5, 20)
    assert deadlines.catalogue_update_due(day, LIMITS, add) == date(2024, 5, 20)
    assert deadlines.publication_due(day, LIMITS, add) == date(2024, 5, 8)
