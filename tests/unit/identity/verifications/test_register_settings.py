"""What names are compared with is one thing: settings that name two, or half of one, stop the start."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.identity.config import PopulationRegister
from services.identity.verifications.register import register_of

_ID = "00000000-0000-7000-8000-000000000001"
_SHARED = {
    "resource": f"//340000/dataResources/{_ID}",
    "department": f"departments/{_ID}",
    "number_field": "number",
    "name_field": "full_name",
}
_URL, _TABLE = {"url": "http://register.test"}, {"table": "/t", "key_file": "/k"}


@pytest.mark.parametrize(
    "section",
    [
        {},
        _URL | _TABLE,
        _URL | {"sharing": _SHARED},
        _TABLE | {"sharing": _SHARED},
        {"table": "/t"},
        {"sharing": _SHARED, "key_file": "/k"},
        {"sharing": _SHARED | {"resource": "people"}},
        {"sharing": _SHARED | {"department": "departments/1"}},
        {"sharing": {key: value for key, value in _SHARED.items() if key != "name_field"}},
    ],
    ids=repr,
)
def test_what_is_not_one_register_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PopulationRegister.model_validate(section)


async def test_the_register_that_is_named_is_asked() -> None:
    def unused() -> Any:
        raise AssertionError

    found = register_of(PopulationRegister.model_validate({"sharing": _SHARED}), unused)
    assert (found.name, register_of(None, unused).name) == ("verifiers/data-sharing", "verifiers/none")
    await found.close()
