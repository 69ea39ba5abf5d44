"""What a check is made over, byte by byte, and what a reader is called."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from libs.errors import PermissionDenied
from services.license.core.catalogue import Holder
from services.license.core.qr import check_of, face_bytes
from services.license.core.reading import Presentation, Reader
from services.license.core.validity import LicenseTerm

NOW = datetime(2024, 5, 18, 2, 0, tzinfo=UTC)
HELD = Presentation(
    "1",
    "persons/1",
    (),
    "//320402/departments/9",
    "",
    "LICENSE_CHECK",
    "核验",
    "",
    "cases/7",
    "",
    "",
    "",
    "",
    True,
    b"",
    b"",
    NOW + timedelta(minutes=5),
    NOW,
    NOW,
)


def test_a_face_is_written_in_one_way() -> None:
    holder = Holder(subject="persons/1", display_name="张三", document_type="111", document_number="11010119900307803X")
    term = LicenseTerm(date(2024, 5, 18), date(2029, 5, 17))
    raw = face_bytes("1.2.156.3005.2.1", "皖0001", [holder], term, {"KZ_B": "二", "KZ_A": Decimal("1.50")})
    # The words of GB/T 36903; sorted, without blanks, in UTF-8: what was printed once must be found again for ever.
    assert raw.decode() == (
        '{"CZZT":[["张三","111","11010119900307803X"]],"ZZBH":"皖0001","ZZBS":"1.2.156.3005.2.1",'
        '"ZZYXQJZRQ":"20290517","ZZYXQQSRQ":"20240518","face":{"fields":{"KZ_A":["decimal","1.5"],"KZ_B":["text","二"]},"v":1}}'
    )
    assert list(json.loads(raw)) == sorted(json.loads(raw))
    assert check_of(bytes.fromhex("0A1B2C3D4E")) == "0a1b2c3d"


def test_a_reader_is_called_by_the_narrowest_name() -> None:
    assert Reader("320402").own_name() == "//320402"
    assert Reader("320402", client="clients/hall").own_name() == "//320402/clients/hall"
    both = Reader("320402", department="departments/9", client="clients/hall")
    assert both.own_name() == "//320402/departments/9"
    assert both.names() == {"//320402", "//320402/departments/9", "//320402/clients/hall"}


@pytest.mark.parametrize(
    ("reader", "case", "what"),
    [
        (Reader("320402", department="departments/8"), "cases/7", "verifier"),
        (Reader("320402", department="departments/9"), "cases/8", "case"),
    ],
)
def test_a_presentation_bound_elsewhere_says_which_and_by_what(reader: Reader, case: str, what: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        HELD.check_binding(reader, case)
    assert refused.value.reason == "PRESENTATION_BOUND_ELSEWHERE"
    assert set(refused.value.metadata.values()) == {"presentations/1", what}


def test_who_redeemed_it_holds_it() -> None:
    redeemed = replace(HELD, redeemer="//320402/departments/8")
    redeemed.check_binding(Reader("320402", department="departments/8"), "cases/7")
    with pytest.raises(PermissionDenied):
        redeemed.check_binding(Reader("320402", department="departments/9"), "cases/7")
