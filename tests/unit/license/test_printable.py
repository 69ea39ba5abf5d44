"""Whatever the text: it is refused before the decision, or the whole file can be made of it."""

from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import TongbanError
from services.license.pages import longest_field, page_of, unprintable
from services.license.rendering import check_layout, render_ofd, render_pdf
from tongban.common.v1 import common_pb2
from tongban.license.v1 import resources_pb2 as resources

_KIND = {"page_layout": "A4_PORTRAIT", "face_fields": [{"key": f"F{n}", "label": "项目"} for n in range(3)]}
_COLUMNS: dict[str, Any] = {
    "type_display_name": "测试证",
    "issuer_name": "测试局",
    "identifier": "1.2",
    "issuer_code": "1",
    "qr_content": "-",
    "issue_date": date(2024, 1, 1),
    "valid_from": None,
    "valid_until": None,
    "seal_diameter": 40,
    "type_code": "1",
}


def _content(name: str, texts: list[str]) -> resources.License:
    document = common_pb2.IdentityDocument(type_code="111", number="1")
    return resources.License(
        number="1",
        holders=[resources.Holder(display_name=name, document=document)],
        face_fields={f"F{n}": text for n, text in enumerate(texts)},
    )


@settings(max_examples=150, deadline=None)
@given(name=st.text(min_size=1, max_size=20), texts=st.lists(st.text(max_size=80), min_size=1, max_size=3))
def test_what_is_not_refused_is_drawn(name: str, texts: list[str]) -> None:
    content = _content(name, texts)
    if unprintable(content):
        return
    page = page_of(_COLUMNS, content, _KIND)
    try:
        check_layout(page)
    except TongbanError:
        return
    assert render_ofd(page) and render_pdf(page)


@given(text=st.text(alphabet=st.characters(max_codepoint=0x1F), min_size=1, max_size=5))
def test_controls_are_refused_by_their_field(text: str) -> None:
    found = {each.field for each in unprintable(_content("甲", [f"乙{text}"]))}
    assert found == ({"face_fields.F0"} if set(text) - set("\t\n\r") else set())


def test_the_longest_field_is_the_one_to_shorten() -> None:
    assert longest_field(_content("甲", ["一", "一二三", "二"])) == "face_fields.F1"
    assert longest_field(resources.License()) == "holders[0].display_name"
