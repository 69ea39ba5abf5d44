"""What every release wrote is verified by this commit, and by none of its bytes can it be changed unnoticed."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local.audit_cli import app
from libs.audit.copies import verify_log
from libs.audit.heads import VerifySignature, head_from_json
from libs.audit.receipts import verify_receipt
from libs.audit.trust import trust
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate
from tests.support import contracts

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests" / "vectors" / "audit"
RELEASES = sorted(path.name for path in FOLDER.iterdir() if (path / "root.der").is_file())
LOGS = [f"{release}/{service}" for release in RELEASES for service in contracts.OWNERS]
RECEIPTS = [str(path.relative_to(FOLDER)) for log in LOGS for path in sorted((FOLDER / log).glob("*.receipt.json"))]
_STRIDE = 89


def trusted(name: str) -> VerifySignature:
    """The check of heads under the root of the release that ``name`` begins with."""
    root = FOLDER / name.partition("/")[0] / "root.der"
    return trust(Certificate.parse(root.read_bytes()), default_provider())


def test_every_release_since_0_2_left_its_log() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    cut = re.findall(r"^## (\d+\.\d+\.\d+)(?! \(unreleased\))", changelog, re.MULTILINE)
    missing = [each for each in cut if tuple(map(int, each.split("."))) >= (0, 2, 0) and each not in RELEASES]
    assert missing == [], "python -m tests.vectors.audit.make RELEASE"
    assert "0.2.0" in RELEASES
    assert len(RECEIPTS) >= 3 * len(LOGS)


@pytest.mark.parametrize("name", RECEIPTS)
def test_what_a_caller_kept_of_a_release_verifies(name: str) -> None:
    file = FOLDER / name
    folder, stem = file.parent, file.name.partition(".")[0]
    command = ["verify", str(file), "--root", str(folder.parent / "root.der"), "--log", str(folder / "log.jsonl")]
    kept = ["--request", str(folder / f"{stem}.request")]
    if (folder / f"{stem}.response").read_bytes():
        kept += ["--response", str(folder / f"{stem}.response")]
    result = CliRunner().invoke(app, [*command, *kept, "--json"])
    assert result.exit_code == 0, result.output
    assert {step["outcome"] for step in json.loads(result.output)["steps"]} == {"PASSED"}
    other = CliRunner().invoke(app, [*command, "--request", str(folder / "log.jsonl")])
    assert other.exit_code == 1


@pytest.mark.parametrize("name", RECEIPTS[::2])
def test_whoever_reads_the_contract_computes_the_same_with_sm3_alone(name: str) -> None:
    """As the comments of AuditRecord, Receipt and SignedHead say it; nothing of ours is asked."""
    file = FOLDER / name
    content = json.loads(file.read_bytes())
    canonical = base64.b64decode(content["record"]["canonical"])
    record, salt = json.loads(canonical), base64.b64decode(content["receipt"]["hashSalt"])
    assert canonical.startswith(b'{"v":1,')
    for what in ("request", "response"):
        kept = file.with_name(file.name.replace(".receipt.json", f".{what}")).read_bytes()
        assert record[f"{what}_hash"] == (_sm3(salt + _sm3(kept)).hex() if kept else "")
    assert base64.b64decode(content["receipt"]["leafHash"]) == _sm3(b"\0" + canonical)
    assert salt.hex() not in (file.parent / "log.jsonl").read_text(encoding="utf-8")
    head = content["head"]
    root = base64.b64decode(head["rootHash"]).hex()
    text = f"tongban-log-head {head['version']}\n{head['log']}\n{head['treeSize']}\n{root}\n{head['signTime']}\n"
    trusted(name)(base64.b64decode(head["certificate"]), text.encode(), base64.b64decode(head["signature"]))


def _sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


@pytest.mark.parametrize("name", LOGS)
def test_one_flipped_bit_of_a_log_is_noticed(name: str) -> None:
    folder, check = FOLDER / name, trusted(name)
    head, data = head_from_json(json.loads((folder / "head.json").read_bytes())), (folder / "log.jsonl").read_bytes()
    assert verify_log(data.splitlines(keepends=True), head, check).valid
    unnoticed = [
        place
        for place in range(0, len(data), _STRIDE)
        if verify_log(_flipped(data, place).splitlines(keepends=True), head, check).valid
    ]
    assert unnoticed == []


@pytest.mark.parametrize("name", RECEIPTS[::3])
def test_one_changed_value_of_a_receipt_is_noticed(name: str) -> None:
    file, check = FOLDER / name, trusted(name)
    asked = file.with_name(file.name.replace(".receipt.json", ".request")).read_bytes()
    content = json.loads(file.read_bytes())
    assert verify_receipt(json.dumps(content).encode(), check, asked).valid
    assert not verify_receipt(json.dumps(content).encode(), check, _flipped(asked, len(asked) // 2)).valid
    unnoticed = [
        path for path, change in _changes(content) if verify_receipt(json.dumps(change()).encode(), check, asked).valid
    ]
    assert unnoticed == []


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def _changes(content: Any, inside: str = "") -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each value of a receipt file with how to change it alone."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        path = f"{inside}.{key}"
        if isinstance(value, dict | list):
            for deeper, change in _changes(value, path):
                yield deeper, _put(content, key, change)
        else:
            yield path, _put(content, key, partial(_other, value))


def _put(content: Any, key: Any, change: Callable[[], Any]) -> Callable[[], Any]:
    def put() -> Any:
        copy = content.copy()
        copy[key] = change()
        return copy

    return put


def _other(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1
    middle = len(value) // 2
    return value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :]
