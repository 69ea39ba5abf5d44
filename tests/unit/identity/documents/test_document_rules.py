"""What documents an account takes, each rule at its limit and one beyond."""

from datetime import date, timedelta

import pytest

from libs.errors import InvalidArgument
from services.identity.accounts.rules import check_unlike
from services.identity.documents import rules

TODAY = date(2026, 11, 27)


def _broken(error: pytest.ExceptionInfo[InvalidArgument]) -> list[tuple[str, str]]:
    return [(each.field, each.rule) for each in error.value.violations]


def test_staff_say_where_they_saw_it_and_people_do_not_see_themselves() -> None:
    rules.check_shown(in_person=True, by_staff=True)
    rules.check_shown(in_person=False, by_staff=False)
    with pytest.raises(InvalidArgument) as missing:
        rules.check_shown(in_person=False, by_staff=True)
    with pytest.raises(InvalidArgument) as lied:
        rules.check_shown(in_person=True, by_staff=False)
    assert _broken(missing) == [("in_person", "required")]
    assert _broken(lied) == [("in_person", "document.in_person")]


def test_a_document_holds_through_its_last_day() -> None:
    rules.check_document("414", None, TODAY)
    rules.check_document("414", TODAY, TODAY)
    with pytest.raises(InvalidArgument) as over:
        rules.check_document("414", TODAY - timedelta(days=1), TODAY)
    assert _broken(over) == [("document.expire_date", "document.expired")]


def test_what_names_an_organisation_is_no_persons() -> None:
    with pytest.raises(InvalidArgument) as wrong:
        rules.check_document("001", None, TODAY)
    assert _broken(wrong) == [("document.document.type_code", "document.kind")]


def test_ten_documents_are_the_most() -> None:
    rules.check_room(8)
    with pytest.raises(InvalidArgument) as full:
        rules.check_room(9)
    assert _broken(full) == [("document", "documents.most")]


def test_a_document_is_named_once_by_type_and_number() -> None:
    check_unlike([("111", "1"), ("414", "1"), ("111", "2")])
    with pytest.raises(InvalidArgument) as twice:
        check_unlike([("414", "1"), ("111", "1"), ("414", "1")])
    assert _broken(twice) == [("person.documents[2].document", "documents.unique")]
