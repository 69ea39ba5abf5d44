"""schemathesis against a region that runs: all that its OpenAPI document promises, by all checks, also along chains of calls."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.support.openapi_links import linked
from tests.support.sandbox_region import ROOT, NewcomersDesk, newcomers_desk

_CONFIG = """
[phases.stateful]
# Most chains end at once, at an empty list: so there are more of them.
generation.max-examples = 40
[checks]
# What has the right form may still mean something impossible (a day no calendar covers, a person who is not there): then 400 with a reason.
positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "429"]
# A line of the request that is longer than taken at all is 414 (RFC 9110, 15.5.15).
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "414", "415", "429"]
[[operations]]
# What is wrong with a draft is not drawn: schemathesis ends with an error of its own where it negates its schema ("a `not` whose
# complement is not spelled out").
include-path = "/v1/cases/{case}"
include-method = "PATCH"
generation.mode = "positive"
[[operations]]
# The status of a stream is said with its first answer, and what comes after that can be wrong all the same.
include-path = "/v1/licenses:verifyLicenses"
checks.negative_data_rejection.expected-statuses = ["200", "400"]
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewcomersDesk]:
    folder = tmp_path_factory.mktemp("fuzz")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    with newcomers_desk(folder) as desk:
        desk.run("./run", "up", "--detach", "--sandbox")
        yield desk


@pytest.fixture(scope="module")
def document(desk: NewcomersDesk) -> Path:
    made = httpx.get(f"{desk.url}/openapi.json", trust_env=False).json()
    path = desk.folder / "openapi.json"
    path.write_text(json.dumps(linked(made)), encoding="utf-8")
    (desk.folder / "schemathesis.toml").write_text(_CONFIG, encoding="utf-8")
    return path


@pytest.mark.timeout(600)
@pytest.mark.parametrize("caller", ["administrator", "deciding"])
def test_the_region_keeps_what_its_document_says(desk: NewcomersDesk, document: Path, caller: str) -> None:
    hooks = {"SCHEMATHESIS_HOOKS": "tests.support.openapi_hooks", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    there = replace(desk, environment=desk.environment | hooks)
    said = there.run(
        *(str(ROOT / ".venv" / "bin" / "st"), "run", str(document), "--url", desk.url),
        *("--checks", "all", "--continue-on-failure", "--phases", "examples,fuzzing,stateful"),
        *("--max-examples", "10", "--generation-deterministic"),
        *("--header", f"Authorization: Bearer {_token(desk, caller)}"),
        timeout=580,
    )
    assert "Stateful" in said


def _token(desk: NewcomersDesk, caller: str) -> str:
    if caller == "administrator":
        return desk.run("./run", "token").strip()
    folder = Path(desk.environment["TONGBAN_STATE"]) / "341500"
    staff = json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))["staff"][caller]
    return desk.run("./run", "token", "--credentials", str(folder / "channel.json"), "--for", staff).strip()
