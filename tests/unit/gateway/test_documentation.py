"""What the documentation's page tells of each method: lines that are right as they stand, types that are there."""

import ast
import json
import re
import shlex
from typing import Self

import pytest
from google.protobuf import json_format

from services.gateway.contracts import read_image, services
from services.gateway.documentation import Documentation
from services.gateway.openapi import document
from services.gateway.schemas import Json

_BASE = "http://gateway.example"


@pytest.fixture(scope="module")
def told() -> Json:
    image = read_image()
    return Documentation(document(image, _BASE, "示例", "0.0.0"), services(image), "en").values()


def _methods(told: Json) -> list[Json]:
    return [method for service in told["services"] for method in service["methods"]]


def test_lines_of_curl_are_one_command_with_a_body_that_is_json(told: Json) -> None:
    for method in _methods(told):
        words = shlex.split(method["curl"].replace("\\\n", " "))
        assert words[:4] == ["curl", "-sS", "-X", method["verb"]]
        assert words[4].startswith(_BASE)
        assert not re.search(r"[{}]", words[4]), method["path"]
        if "-d" in words:
            json.loads(words[words.index("-d") + 1].replace("$(uuidgen)", "x"))


def test_lines_of_python_build_the_request_that_the_path_and_the_body_say(told: Json) -> None:
    """They are run as they stand, with a client that only notes what it is asked to call."""
    written = 0
    for method in filter(lambda each: each["python"], _methods(told)):
        asked: list[str] = []

        class Region:
            def __init__(self, *_given: object) -> None: ...
            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_left: object) -> None: ...
            def call(self, request: object, _answer: object, asked: list[str] = asked) -> str:
                asked.append(json_format.MessageToJson(request, ensure_ascii=False))  # type: ignore[arg-type]
                return ""

        code = method["python"].replace("from tongban_client import Bearer, Tongban\n", "")
        exec(compile(ast.parse(code), method["path"], "exec"), {"Tongban": Region, "Bearer": str, "TOKEN": ""})
        for value in re.findall(r"/([^/?:]+)", method["filled"].removeprefix("/v1")):
            assert value in asked[0] or value in method["path"], method["path"]
        written += 1
    assert written > 150


def test_every_type_that_is_named_can_be_looked_up(told: Json) -> None:
    names = {each["name"] for each in told["types"]}
    fields = [field for each in (*_methods(told), *told["types"]) for field in each["fields"]]
    missing = {field.base for field in fields if "." in field.base and field.base not in names}
    assert missing == set()
    assert {each["answer_base"] for each in _methods(told) if "." in each["answer"]} <= names
