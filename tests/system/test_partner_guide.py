"""docs/guides/partner.md, typed as it stands: from nothing to a licence whose receipt holds."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.gateway.contracts import client_paths
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guides" / "partner.md"
README = ROOT / "README.md"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A folder of a newcomer's own, in which `./run` is the project's, with state and port beside nobody else's."""
    (tmp_path / "run").write_text(f'#!/bin/sh\nexec "{ROOT}/run" "$@"\n', encoding="utf-8")
    (tmp_path / "run").chmod(0o755)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    state, port = tmp_path / "state", free_port()
    state.mkdir()
    (state / "settings.toml").write_text(f"[regions.341500]\nport = {port}\n", encoding="utf-8")
    environment = os.environ | {"TONGBAN_STATE": str(state)}
    yield environment | {"PORT": str(port), "DESK": str(tmp_path)}
    subprocess.run([ROOT / "run", "down"], env=environment, check=False, capture_output=True, timeout=120)


@pytest.mark.timeout(300)
def test_every_block_of_the_guide_runs(desk: dict[str, str]) -> None:
    blocks = _BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    assert len(blocks) > 8
    script = "\necho '== next'\n".join(blocks).replace("127.0.0.1:8080", f"127.0.0.1:{desk['PORT']}")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=desk["DESK"],
        env=desk,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert _readme_in_python(desk).startswith("serviceItems/")
    told = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, told
    for said in ("SERVING", "CASE_STATE_DECIDED", "licenses/", "json.unknown_field"):
        assert said in done.stdout, told
    assert "VALID" in done.stdout.partition("licenses/")[2], told


def _readme_in_python(desk: dict[str, str]) -> str:
    """What the README's lines of Python print of the region that the guide began, by the client's own wheel."""
    (block,) = _PYTHON.findall(README.read_text(encoding="utf-8"))
    block = block.replace("127.0.0.1:8080", f"127.0.0.1:{desk['PORT']}").replace(".tongban", desk["TONGBAN_STATE"])
    environment = desk | {"PYTHONPATH": str(client_paths()[0])}
    command = [ROOT / ".venv" / "bin" / "python", "-c", block]
    done = subprocess.run(command, env=environment, cwd=desk["DESK"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
