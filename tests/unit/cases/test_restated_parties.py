"""A decision may say another name or document of a party; not another party, and not what a party is."""

import pytest

from libs.errors import InvalidArgument
from services.cases.decisions.parties import restate
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import party_pb2

_FIRM = "organizations/00000000-0000-7000-8000-000000000001"


def _case() -> pb.Case:
    kind = party_pb2.PARTY_KIND_ENTERPRISE
    return pb.Case(applicant=party_pb2.Applicant(kind=kind, subject=_FIRM, display_name="旧"))


def test_a_new_name_stands_in_the_case_and_the_old_one_is_told_with_its_kind() -> None:
    case = _case()
    (before,) = restate(case, [party_pb2.Party(subject=_FIRM, display_name="新")])
    assert (case.applicant.display_name, before.display_name) == ("新", "旧")
    assert before.kind == case.applicant.kind == party_pb2.PARTY_KIND_ENTERPRISE


@pytest.mark.parametrize(
    ("party", "field"),
    [
        (party_pb2.Party(subject=_FIRM, kind=party_pb2.PARTY_KIND_COOPERATIVE), "restated_parties[0].kind"),
        # Where nobody acts, no agent has an empty name.
        (party_pb2.Party(display_name="新"), "restated_parties[0].subject"),
    ],
)
def test_another_party_or_kind_is_refused_and_nothing_is_changed(party: party_pb2.Party, field: str) -> None:
    case = _case()
    with pytest.raises(InvalidArgument) as refused:
        restate(case, [party])
    assert [each.field for each in refused.value.violations] == [field]
    assert case == _case()
