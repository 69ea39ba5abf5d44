"""Eighteen partner regions as files: each is a region of its own, and is proposed as it stands."""

import pytest

from tests.support.partners import IDS, partner_files
from tests.unit.deploy.test_trust_cli import HERE, Desk, desk

__all__ = ["desk"]


def test_there_are_eighteen_and_no_two_share_anything() -> None:
    files = partner_files()
    assert [each.id for each in files] == list(IDS)
    assert len(files) == 18
    anchors = [each.region.anchor for each in files]
    for of in (
        {anchor.issuer for anchor in anchors},
        {anchor.gateway_url for anchor in anchors},
        {anchor.root_certificate for anchor in anchors},
        {anchor.jwks.keys[0].x for anchor in anchors},
        {each.region.display_name for each in files},
        {each.fingerprints["SM3"] for each in files},
    ):
        assert len(of) == 18


@pytest.mark.parametrize("partner", IDS)
def test_each_is_proposed_by_its_file_and_what_was_read_out(desk: Desk, partner: str) -> None:
    file = next(each for each in partner_files() if each.id == partner)
    if partner == HERE:
        # The desk stands in this one, which does not trust itself.
        assert desk.compared("propose", file)[0] == 1
        return
    assert desk.compared("propose", file)[0] == 0
    ((rpc, asked),) = desk.trust_list.changes
    assert (rpc, asked["region_id"], asked["region"].anchor) == ("propose_region", partner, file.region.anchor)
