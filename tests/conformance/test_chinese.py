"""The contracts speak Chinese: every text of the API, with the names that its English holds; and so does the document that is made of them."""

import json
import re
from typing import Any

import pytest

from proto import texts
from services.gateway.chinese import chinese_texts, in_chinese
from services.gateway.contracts import read_image
from services.gateway.openapi import document
from services.gateway.openapi_chinese import own_words_in_chinese

_HAN = re.compile(r"[\u4e00-\u9fff]")
_NAMED = re.compile(r"`[^`]+`")
_WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,} [a-z]{2,}")


@pytest.fixture(scope="module")
def said() -> list[tuple[str, str, str]]:
    """What says it, in English, in Chinese."""
    chinese = chinese_texts()
    return [(name, text, chinese.get(text, "")) for name, text in texts.elements(read_image())]


def test_every_text_of_the_api_has_its_chinese(said: list[tuple[str, str, str]]) -> None:
    assert sorted({name for name, _, chinese in said if not chinese}) == []


def test_the_chinese_is_chinese_and_names_what_the_english_names(said: list[tuple[str, str, str]]) -> None:
    """A text without a word of its own (a form, a list of values) stays as it is."""
    wrong = [
        f"{name}: {chinese}"
        for name, text, chinese in said
        if (_WORDS.search(_NAMED.sub("", text)) and not _HAN.search(chinese))
        or set(_NAMED.findall(text)) != set(_NAMED.findall(chinese))
    ]
    assert wrong == []


def test_no_catalogue_holds_what_nobody_says() -> None:
    assert set(texts.known()) <= {text for _, text in texts.elements(read_image())}


def _english(made: Any, path: str = "") -> list[str]:
    if isinstance(made, list):
        return [each for item in made for each in _english(item, path)]
    if not isinstance(made, dict):
        return []
    told = [
        f"{path}/{key}: {made[key]}"
        for key in ("description", "summary")
        if isinstance(made.get(key), str) and _WORDS.search(_NAMED.sub("", made[key])) and not _HAN.search(made[key])
    ]
    return told + [each for key, value in made.items() for each in _english(value, f"{path}/{key}")]


def test_the_chinese_document_says_nothing_in_english_alone() -> None:
    made = own_words_in_chinese(document(in_chinese(read_image(), chinese_texts()), "http://a.example", "示例", "0"))
    assert json.dumps(_english(made)[:20], ensure_ascii=False) == "[]"
