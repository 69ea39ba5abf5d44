"""A caller is told in the language that they ask for, as far as there is one of ours."""

import pytest

from libs.rpc.languages import preferred
from tests.support.accept_language import CASES


@pytest.mark.parametrize(("header", "language"), CASES)
def test_the_best_liked_of_ours_is_taken(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_header_without_end_costs_little() -> None:
    assert preferred("fr," * 100_000 + "en") == "zh-CN"
