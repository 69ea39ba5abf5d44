"""What is understood of a payload: by our edition of the contracts, and by the rules of the edition that its sender writes by."""

from pathlib import Path

import pytest

from libs.rpc import images
from libs.rpc.editions import PayloadReader, own_edition, released_edition
from libs.rpc.images import image_path
from libs.values.kinds import Value
from libs.values.limits import MOST_DEEP
from tests.support import tomorrow
from tests.support.tomorrow import LONG_NOTE, NEW_KIND, NEW_STATE, NOTICE, RELEASE
from tests.support.values import messages
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources

KIND = "tongban.cases.v1.TransferProgress"
LATER = tomorrow.edition()
TODAY = PayloadReader(own_edition(), [KIND])
TOMORROW = PayloadReader(LATER, [KIND, NOTICE], {own_edition().release: own_edition()}.get)


def _progress(**more: object) -> pb.TransferProgress:
    told = pb.TransferProgress(state=resources.CASE_STATE_ACCEPTED, action=resources.CASE_ACTION_ACCEPT, **more)  # type: ignore[arg-type]
    told.event_time.seconds = 1_700_000_000
    return told


@pytest.mark.parametrize(
    ("more", "doubts"),
    [
        ({"state": NEW_STATE}, ("state: protobuf.unknown_value",)),
        ({"fee_notice": "x"}, ("991: protobuf.unknown_field",)),
        ({"contact_desk": "x"}, ("992: protobuf.unknown_field",)),
        ({"note": "长" * LONG_NOTE}, ("note: string.max_len",)),
    ],
)
def test_what_tomorrow_adds_is_not_understood_today_and_understood_tomorrow(
    more: dict[str, object], doubts: tuple[str, ...]
) -> None:
    data = tomorrow.written(LATER, _progress(), {"contact_desk": "x", **more} if "contact_desk" in more else more)
    assert TODAY.doubts(KIND, RELEASE, data) == doubts
    whole = tomorrow.written(LATER, _progress(), {"contact_desk": "x", **more})
    assert TOMORROW.doubts(KIND, RELEASE, whole) == ()


def test_whoever_runs_today_s_release_is_held_to_its_rules() -> None:
    """It can't have known of a field that became required since; who runs tomorrow's has to fill it."""
    data = _progress().SerializeToString()
    assert TOMORROW.doubts(KIND, own_edition().release, data) == ()
    assert TOMORROW.doubts(KIND, RELEASE, data) == ("contact_desk: string.min_len",)
    assert TOMORROW.doubts(KIND, "77.0", data) == ("contact_desk: string.min_len",)
    broken = pb.TransferProgress(note="长" * 1001).SerializeToString()
    assert "note: string.max_len" in TOMORROW.doubts(KIND, own_edition().release, broken)


def test_what_no_edition_reads_is_told_and_never_raised() -> None:
    assert TODAY.doubts(NOTICE, RELEASE, b"") == (f"{NOTICE}: payload.type",)
    assert TOMORROW.doubts(NOTICE, RELEASE, b"\n\x01a") == ()
    assert TODAY.doubts(KIND, RELEASE, b"\xff\xff") == (f"{KIND}: payload.bytes",)
    assert TODAY.doubts(KIND, RELEASE, _progress(note="a\0b").SerializeToString()) == ("note: string.nul",)
    far = _progress()
    far.event_time.seconds = 10**15
    assert TODAY.doubts(KIND, RELEASE, far.SerializeToString()) == ("event_time: timestamp.range",)


def test_doubts_tell_nothing_of_what_is_said_and_are_few() -> None:
    points = [resources.CorrectionPoint(material_code="!" * 40, explanation="秘") for _ in range(40)]
    doubts = TODAY.doubts(KIND, RELEASE, _progress(correction_points=points).SerializeToString())
    assert 0 < len(doubts) <= 20
    assert not any("秘" in each or "!" in each for each in doubts)


def test_an_edition_is_told_from_another_by_its_image() -> None:
    assert own_edition().fingerprint != LATER.fingerprint
    assert tomorrow.edition().fingerprint == LATER.fingerprint


@pytest.mark.parametrize("release", ["", "../gen/tongban", "0.0.0", "/etc/passwd"])
def test_a_release_whose_image_is_not_kept_has_none(release: str) -> None:
    assert released_edition(release) is None


def test_the_image_of_a_release_is_read_where_releases_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the checkout beside `gen`, in the wheel within `tongban`."""
    for place, release in ((tmp_path / "releases", "98.1.0"), (tmp_path / "gen" / "tongban" / "releases", "98.2.0")):
        place.mkdir(parents=True)
        (place / f"{release}.binpb").write_bytes(image_path().read_bytes())
    monkeypatch.setattr(images, "_generated", lambda: iter([tmp_path / "gen"]))
    for release in ("98.1.0", "98.2.0"):
        found = released_edition(release)
        assert found is not None
        assert (found.release, found.fingerprint) == (release, own_edition().fingerprint)


def test_a_value_of_a_kind_that_tomorrow_adds_is_not_understood_today_and_understood_tomorrow() -> None:
    kind = "tongban.cases.v1.TransferCorrection"
    # Within a table of a form: a map of values, a list, a record.
    today = pb.TransferCorrection(form_values=messages(places=({"where": "x"},)))
    message = LATER.read(kind, today.SerializeToString())
    assert message is not None
    message.form_values["places"].list_value.values[0].record_value.fields["where"].point_value = "31.33,118.38"  # type: ignore[attr-defined]
    message.contact_desk = "x"  # type: ignore[attr-defined]
    data = message.SerializeToString()
    told = PayloadReader(own_edition(), [kind]).doubts(kind, RELEASE, data)
    inside = 'form_values["places"].list_value.values[0].record_value.fields["where"]'
    assert f"{inside}.{NEW_KIND}: protobuf.unknown_field" in told
    assert PayloadReader(LATER, [kind]).doubts(kind, RELEASE, data) == ()


def test_a_value_beyond_the_limits_is_kept_as_not_understood() -> None:
    """A later release may take deeper ones: what it sends is not refused for that."""
    kind = "tongban.cases.v1.TransferCorrection"
    deep: Value = "x"
    for _ in range(MOST_DEEP):
        deep = (deep,)
    data = pb.TransferCorrection(form_values=messages(a=deep)).SerializeToString()
    inside = 'form_values["a"]' + ".list_value.values[0]" * MOST_DEEP
    assert PayloadReader(own_edition(), [kind]).doubts(kind, RELEASE, data) == (f"{inside}: value.depth",)
