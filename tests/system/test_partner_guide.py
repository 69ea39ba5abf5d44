"""docs/guides/partner.md and tokens.md, typed as they stand: from nothing to a licence whose receipt holds; and what README shows in Python."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.gateway.contracts import client_paths
from tests.support.sandbox_region import ROOT, NewcomersDesk, newcomers_desk

GUIDE, README = ROOT / "docs" / "guides" / "partner.md", ROOT / "README.md"
TOKENS = GUIDE.with_name("tokens.md")
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[NewcomersDesk]:
    with newcomers_desk(tmp_path) as desk:
        yield desk


@pytest.mark.timeout(300)
def test_every_block_of_the_guide_runs(desk: NewcomersDesk) -> None:
    blocks = [each for page in (GUIDE, TOKENS) for each in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    assert len(blocks) > 8
    script = "\necho '== next'\n".join(blocks).replace("http://127.0.0.1:8080", desk.url)
    told = desk.run("bash", "-euo", "pipefail", "-c", script, timeout=280)
    tokens = ("Bearer", "urn:ietf:params:oauth:token-type:access_token")
    cases = ("CASE_STATE_DECIDED", "licenses/", "json.unknown_field", "STANDING_VALID", "CHECKING")
    for said in ("SERVING", *tokens, *cases):
        assert said in told, told
    assert "VALID" in told.partition("licenses/")[2], told
    assert _readme_in_python(desk).startswith("serviceItems/")


def _readme_in_python(desk: NewcomersDesk) -> str:
    """What the README's lines of Python print of the region that the guide began, by the client's own wheel."""
    (block,) = _PYTHON.findall(README.read_text(encoding="utf-8"))
    block = block.replace("http://127.0.0.1:8080", desk.url).replace(".tongban", desk.environment["TONGBAN_STATE"])
    with_wheel = replace(desk, environment=desk.environment | {"PYTHONPATH": str(client_paths()[0])})
    return with_wheel.run(".venv/bin/python", "-c", block)
