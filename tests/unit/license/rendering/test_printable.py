"""Whatever the text: it is refused before the decision, or the whole file can be made of it."""

from datetime import UTC, date, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import TongbanError
from libs.values.kinds import ValueField
from services.license.core.catalogue import HolderCategory, LicenseType, TypeState
from services.license.core.licenses import License
from services.license.rendering import check_layout, render_ofd, render_pdf
from services.license.rendering.service import longest_field, page_of, unprintable
from tests.support.values import TEXT, messages
from tongban.common.v1 import common_pb2, party_pb2
from tongban.license.v1 import resources_pb2 as resources

_MADE = datetime(2024, 1, 1, tzinfo=UTC)
_KIND = LicenseType(
    id="1",
    code="1",
    display_name="测试证",
    defining_authority="测试局",
    holder_category=HolderCategory.ANY,
    face_fields=tuple(ValueField(f"F{n}", "项目", False, TEXT) for n in range(3)),
    validity_months=0,
    page_layout="A4_PORTRAIT",
    item_codes=(),
    original_item_codes=(),
    state=TypeState.PUBLISHED,
    publish_time=_MADE,
    deprecate_time=None,
    version=1,
    create_time=_MADE,
    update_time=_MADE,
)
_ROW = License(
    id="1",
    identifier="1.2",
    number_index=b"",
    license_type="1",
    type_code="1",
    type_display_name="测试证",
    issuer_department="departments/1",
    issuer_name="测试局",
    issuer_code="1",
    holders=(),
    organization_names=(),
    content=b"",
    issue_date=date(2024, 1, 1),
    valid_from=date(2024, 1, 1),
    valid_until=None,
    item_code="",
    case_name="",
    receiving_region="",
    face_check="",
    qr_content="-",
    seal="seals/1",
    seal_id="1",
    seal_diameter=40,
    create_time=_MADE,
    update_time=_MADE,
)


def _content(name: str, texts: list[str]) -> resources.License:
    document = common_pb2.IdentityDocument(type_code="111", number="1")
    return resources.License(
        number="1",
        holders=[party_pb2.Party(display_name=name, document=document)],
        face_fields=messages(**{f"F{n}": text for n, text in enumerate(texts)}),
    )


@settings(max_examples=150, deadline=None)
@given(name=st.text(min_size=1, max_size=20), texts=st.lists(st.text(max_size=80), min_size=1, max_size=3))
def test_what_is_not_refused_is_drawn(name: str, texts: list[str]) -> None:
    content = _content(name, texts)
    if unprintable(content, _KIND):
        return
    page = page_of(_ROW, content, _KIND)
    try:
        check_layout(page)
    except TongbanError:
        return
    assert render_ofd(page) and render_pdf(page)


@given(text=st.text(alphabet=st.characters(max_codepoint=0x1F), min_size=1, max_size=5))
def test_controls_are_refused_by_their_field(text: str) -> None:
    found = {each.field for each in unprintable(_content("甲", [f"乙{text}"]), _KIND)}
    assert found == ({'face_fields["F0"]'} if set(text) - set("\t\n\r") else set())


def test_the_longest_field_is_the_one_to_shorten() -> None:
    assert longest_field(_content("甲", ["一", "一二三", "二"]), _KIND) == 'face_fields["F1"]'
    assert longest_field(resources.License(), _KIND) == "holders[0].display_name"
