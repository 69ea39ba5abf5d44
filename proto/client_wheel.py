"""Packs the Python client alone into ``proto/gen/tongban/clients``: a wheel of its own, ``tongban-client``, for who calls a region.

It holds ``libs.client`` and what that imports of ours, under the name ``tongban_client``, and the contracts' code. What it needs
is what calling takes; checking receipts offline takes SM2 and SM3 besides: ``tongban-client[receipts]``.
"""

import ast
import re
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent
TOP, GEN = ROOT.parent, ROOT / "gen"
OUT = GEN / "tongban" / "clients"
NEEDS = ("cryptography", "googleapis-common-protos", "grpcio", "httpx", "joserfc", "protobuf")
RECEIPTS = ("asn1crypto", "tongsuopy")
_README = """# tongban-client

The Python client of a Tongban 通办 region's API, typed, from the contracts: blocking and async.

```python
from tongban_client import PrivateKey, Tongban

with Tongban("https://zwfw.example.gov.cn", PrivateKey.from_file("credentials.json")) as region:
    print(region.identity.get_organization(name="organizations/...").display_name)
```

`tongban_client.values` makes the values of forms and licences of Python's own (`value_messages({"founded": date(2019, 3, 4)})`)
and reads them (`values_of(licence.face_fields)`).

`tongban_client.codes.check` checks a personal code without asking anybody, by the keys that `get_code_keys` gave before.

`tongban_client.verifying.verify` checks a receipt without asking anybody; it needs `tongban-client[receipts]`.
"""
_PROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tongban-client"
version = "{version}"
description = "The Python client of a Tongban 通办 region's API"
readme = "README.md"
license = "Apache-2.0"
requires-python = "{python}"
dependencies = {needs}

[project.optional-dependencies]
receipts = {receipts}

[tool.hatch.build.targets.wheel]
packages = ["tongban_client", "tongban", "buf"]
"""


def modules(*entries: str) -> dict[str, Path]:
    """Returns the modules of ``libs`` that these import, however far, with their files."""
    found: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if module in found or path is None:
            continue
        found[module] = path
        waiting += [module.rpartition(".")[0], *_imported(path)]
    return found


def _file(module: str) -> Path | None:
    path = TOP.joinpath(*module.split("."))
    return next((each for each in (path / "__init__.py", path.with_suffix(".py")) if module and each.is_file()), None)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "libs":
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _staged(source: Path) -> Path:
    parts = source.relative_to(TOP / "libs").parts
    return Path("tongban_client", *(parts[1:] if parts[0] == "client" else parts))


def _renamed(text: str) -> str:
    text = re.sub(r"\blibs\.client\b", "tongban_client", text)
    return re.sub(r"\blibs(?=\.\w)|(?<=from )libs(?= import)", "tongban_client", text)


def _stage(folder: Path) -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    text = _PROJECT.format(
        version=project["version"],
        python=project["requires-python"],
        needs=list(NEEDS),
        receipts=list(RECEIPTS),
    )
    files = {"pyproject.toml": text, "README.md": _README, "tongban_client/py.typed": ""}
    sources = modules("libs.client", "libs.client.codes", "libs.client.values", "libs.client.verifying").values()
    files |= {str(_staged(path)): _renamed(path.read_text()) for path in sources if path != TOP / "libs/__init__.py"}
    for path in sorted([*(GEN / "tongban").rglob("*.py*"), *(GEN / "buf").rglob("*.py*")]):
        if "__pycache__" not in path.parts:
            files[str(path.relative_to(GEN))] = path.read_text()
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


def make(folder: Path = OUT) -> Path:
    """Makes the wheel in a folder, by default where it lies ready for partners; returns its path."""
    with tempfile.TemporaryDirectory() as scratch:
        _stage(Path(scratch))
        folder.mkdir(exist_ok=True)
        (built,) = WheelBuilder(scratch).build(directory=str(folder), versions=["standard"])
    return Path(built)


if __name__ == "__main__":
    make()
