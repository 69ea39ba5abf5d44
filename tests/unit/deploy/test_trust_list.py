"""What `./run trust list` says of a region: what waits for whom, and where each way stands."""

import pytest

from deploy.local.listed_regions import lines_of
from tests.support.region_files import file_of, listed_as
from tongban.identity.v1 import resources_pb2 as pb
from tongban.options.v1 import options_pb2

KINDS = (options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_SERVICE)
REGION = file_of("320402").region


@pytest.mark.parametrize(
    ("region", "waits"),
    [
        (listed_as(REGION), "the trust: 1 of 2 people"),
        (listed_as(REGION, pb.REGION_STATE_ACTIVE, pending_anchor=REGION.anchor), "new keys: 1 of 2 people"),
        (
            listed_as(
                REGION, pb.REGION_STATE_ACTIVE, resuming=[pb.TRUST_DIRECTION_INBOUND, pb.TRUST_DIRECTION_OUTBOUND]
            ),
            "to resume inbound and outbound: 1 of 2 people",
        ),
        (
            listed_as(REGION, pb.REGION_STATE_ACTIVE, resuming=[pb.TRUST_DIRECTION_INBOUND], resuming_changes=True),
            "to resume inbound, with changes: 1 of 2 people",
        ),
        (listed_as(REGION, pb.REGION_STATE_ACTIVE), ""),
    ],
)
def test_the_list_says_what_waits_for_whom(region: pb.Region, waits: str) -> None:
    said = [line.removeprefix("  waits").strip() for line in lines_of(region) if line.startswith("  waits")]
    assert said == ([waits] if waits else [])


def test_the_list_says_where_each_way_stands() -> None:
    region = listed_as(
        REGION,
        pb.REGION_STATE_ACTIVE,
        inbound=pb.RegionTrust(state=pb.TRUST_STATE_SUSPENDED, max_assurance=3, min_assurance=2, actor_kinds=KINDS),
        outbound=pb.RegionTrust(state=pb.TRUST_STATE_OPEN, max_assurance=4, grade=pb.TRUST_GRADE_READING),
    )
    assert lines_of(region) == [
        "320402 常州市天宁区: active",
        "  from there  suspended (person, service; assurance 2 to 3)",
        "  to there    open (reads only; all; assurance 0 to 4)",
    ]
