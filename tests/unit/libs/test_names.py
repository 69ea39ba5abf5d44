"""One name however it is written, and no two names one: the rules of docs/glossary.md, each with its examples."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs import names
from libs.errors import InvalidArgument

# As the glossary states them: ways of writing one name.
SAME = [
    ("阿卜杜拉·买买提", "阿卜杜拉•买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉・买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉.买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉．买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉‧买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉･买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉 · 买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉∙买买提"),
    ("示例（六安）商行", "示例(六安)商行"),
    ("示例（六安）商行", "示例 ( 六安 ) 商行"),
    ("示例［甲］商行", "示例[甲]商行"),
    ("José", "Jose\u0301"),
    ("Ängström", "A\u030angstro\u0308m".replace("A\u030a", "A\u0308")),
    ("ガ", "カ\u3099"),
    ("ＡＢＣ商贸１２", "ABC商贸12"),
    ("张三", " 张　三 "),
    ("张三", "张\u00a0三"),
    ("John Smith", "  John \u2003 Smith"),
    ("葛亮", "葛\U000e0100亮"),
    ("\u212bngström", "Ångström"),
    ("葛亮", "葛\ufe00亮"),
    # Compatibility ideographs are canonically equal to the character they repeat; radicals are a way of writing it.
    ("\uf9dc", "隆"),
    ("\ufa19社", "神社"),
    ("\U0002f800", "丽"),
    ("⼈民", "人民"),
    ("⻳山", "龟山"),
    ("⺟", "母"),
    # What GBK and GB 18030-2000 had no character for, and systems of that time still keep so.
    ("王\ue863", "王䶮"),
    ("\ue816", "\U00020087"),
    ("\ue81e", "\u9fb4"),
    ("\ue864", "\u9fbb"),
    ("\ue843", "\u9fb9"),
]
# Different names, however alike.
DIFFERENT = [
    ("张三", "张四"),
    ("John Smith", "JohnSmith"),
    ("John Smith", "john smith"),
    ("张三", "張三"),
    ("Ivan", "Іvan"),
    ("阿卜杜拉·买买提", "阿卜杜拉买买提"),
    ("阿卜杜拉·买买提", "阿卜杜拉-买买提"),
    ("Jose", "José"),
    ("示例(六安)商行", "示例六安商行"),
    ("示例(六安)商行", "示例【六安】商行"),
    ("己", "已"),
    ("ſ", "s"),
    ("ﬁ", "fi"),
    ("①", "1"),
    ("㈱", "(株)"),
    ("½", "1/2"),
    ("ⅷ", "viii"),
    ("王〇", "王○"),
    ("王〇", "王◯"),
    ("王〇", "王零"),
    ("⺁", "厂"),
    ("李々", "李李"),
    ("喜", "㐂"),
    ("厶", "ム"),
    ("か", "が"),
    ("カ", "ｶ"),
    ("李", "季"),
    ("O", "0"),
    ("l", "1"),
    ("ß", "ss"),
    ("x²", "x2"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_ways_of_writing_one_name(one: str, other: str) -> None:
    assert names.same(one, other)
    assert names.check(one, "f") == one
    assert names.check(other, "f") == other


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert not names.same(one, other)


@pytest.mark.parametrize(
    "blank",
    [
        "",
        " ",
        "　",
        "\u3164",
        "\u200b\u200d",
        "\u2800",
        "\u115f\u1160",
        "\uffa0",
        "\t\n",
        "\ufe0f",
        "\u00ad",
        "\u180e",
        "\u2060\ufeff",
        "\U000e0020",
        "\u034f",
    ],
)
def test_what_nobody_can_see_is_no_name(blank: str) -> None:
    assert names.is_blank(blank)
    with pytest.raises(InvalidArgument) as refused:
        names.check(blank, "person.full_name")
    assert [(each.field, each.rule) for each in refused.value.violations] == [("person.full_name", "name.blank")]


@pytest.mark.parametrize(
    "unknown",
    [
        "\ue000",
        "\ue865",
        "\uf8ff",
        "\U000f0000",
        "\U0010fffd",
        "\u0378",
        "\ufffd",
        "\ufffc",
        "\uffff",
        "\U0002ffff",
        "⿰亻尼",
        "〾",
    ],
)
def test_what_stands_for_no_character_is_in_no_name(unknown: str) -> None:
    """It would be printed as something else, or not at all; which person it means nobody can tell."""
    with pytest.raises(InvalidArgument) as refused:
        names.check(f"张{unknown}三", "f")
    assert [each.rule for each in refused.value.violations] == ["name.unknown"]


@pytest.mark.parametrize("rare", ["\ue863", "\U00031350", "\U000323b0", "\U0002ebf0", "㐂", "〇", "\U00030000", "䶮"])
def test_rare_characters_are_names(rare: str) -> None:
    """Those newer than the interpreter's tables too (extensions H and I), and those that old systems keep for private use."""
    assert not names.is_blank(rare)
    assert names.check(rare, "f") == rare
    assert names.check(f"王{rare}", "f") == f"王{rare}"


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        ("\uf9dc", "\uf9dc"),
        ("\ufa19e\u0301", "\ufa19é"),
        ("\U0002f800", "\U0002f800"),
        ("葛\U000e0100", "葛"),
        ("王\ue863", "王䶮"),
        ("⼈", "⼈"),
        ("\ue816", "\U00020087"),
    ],
)
def test_what_is_drawn_is_what_was_given(given: str, drawn: str) -> None:
    """A compatibility ideograph is another shape, and stays it; NFC alone would draw the one that it repeats."""
    assert names.printed(given) == drawn
    assert names.printed(drawn) == drawn


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\u3164", "\n", "\x07", "\u2028", "\u2029", "\u00ad", "\ufeff", "\u2800"]
)
def test_what_nobody_can_see_is_in_no_name(hidden: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        names.check(f"张{hidden}三", "f")
    assert [each.rule for each in refused.value.violations] == ["name.invisible"]


@pytest.mark.parametrize(
    ("given_name", "drawn"),
    [
        ("Jose\u0301", "José"),
        ("葛\U000e0100", "葛"),
        ("ＡＢＣ（甲）", "ＡＢＣ（甲）"),
        ("阿・买", "阿・买"),
        ("カ\u3099", "ガ"),
    ],
)
def test_what_is_drawn_is_what_was_given_with_its_letters_composed(given_name: str, drawn: str) -> None:
    assert names.printed(given_name) == drawn


TEXT = st.text(max_size=30) | st.text(alphabet=" 　·•.．（)A张é\u0301\u3099か\ue0100", max_size=12)


@given(TEXT)
def test_a_key_is_its_own_key(text: str) -> None:
    assert names.key(names.key(text)) == names.key(text)


@given(TEXT)
def test_how_letters_are_composed_makes_no_difference(text: str) -> None:
    forms = {names.key(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")}
    assert forms == {names.key(text)}
    # What NFD itself has changed for another shape, a compatibility ideograph, can't come back.
    kept = re.sub("[\uf900-\ufaff\U0002f800-\U0002fa1f]", "", text)
    assert names.printed(unicodedata.normalize("NFD", kept)) == names.printed(kept)


@given(TEXT)
def test_what_is_printed_is_the_same_name(text: str) -> None:
    assert names.same(names.printed(text), text)


_PLAIN = st.text(
    alphabet=st.characters(categories=["Lu", "Ll", "Lo", "Nd"], max_codepoint=0xFFFF).filter(
        lambda char: (
            unicodedata.is_normalized("NFC", char) and not "\uff00" <= char <= "\uffef" and not names.is_blank(char)
        )
    ),
    min_size=1,
    max_size=8,
)


@given(_PLAIN, _PLAIN)
def test_letters_and_digits_are_never_folded_together(one: str, other: str) -> None:
    """Whatever two texts of letters: they are one name only where they are canonically the same text."""
    equal = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert names.same(one, other) == equal


@given(st.characters(categories=["Lu", "Ll", "Lo", "Nd", "Sm", "So", "Pd"]), st.characters())
def test_no_two_characters_fold_but_by_a_rule(one: str, other: str) -> None:
    if not names.same(one, other) or unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return
    width = unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)
    wide = any("\uff01" <= char <= "\uff5e" for char in (one, other))
    dots = {one, other} <= set(names._DOTS)
    assert (width and wide) or dots or names.is_blank(one) or names.is_blank(other)


@given(TEXT)
def test_a_name_that_passes_can_be_seen(text: str) -> None:
    try:
        names.check(text, "f")
    except InvalidArgument:
        return
    assert names.key(text)
    assert not names.is_blank(names.printed(text))
