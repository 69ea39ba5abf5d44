"""``tongban audit verify`` on files: what holds, and what was changed."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from typer.testing import CliRunner

from deploy.local import proving
from deploy.local.audit_cli import app
from deploy.local.proving import ProvingRegion
from libs.audit import merkle
from libs.audit.copies import export_line
from libs.audit.heads import SignedHead, head_text, head_to_json
from libs.audit.records import Record, leaf_hash
from libs.crypto.provider import Signer, SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate, DistinguishedName, Profile, Validity, issue_certificate, make_root
from libs.errors import TongbanError, not_found, reasons
from tongban.common.v1 import common_pb2

PROVIDER = default_provider()
START = datetime(2024, 1, 1, tzinfo=UTC)
SIGNED = START + timedelta(days=10)
LOG = "//341500/sharing"
SIZE, INDEX = 9, 4


def signer() -> Signer:
    return SoftwareSigner(PROVIDER, PROVIDER.sm2_generate())


@dataclass
class Files:
    """A receipt, a copy of the log, its head and the root, as somebody would keep them."""

    folder: Path
    root_key: Signer
    root: Certificate
    records: list[bytes]

    def certify(self, name: str, key: Signer, profile: Profile = Profile.LOG) -> Certificate:
        subject, validity = DistinguishedName(name, organization="Tongban"), Validity.days(START, 100)
        return issue_certificate(self.root, self.root_key, subject, key.public_key, profile, validity)

    def head(self, size: int, key: Signer, certificate: Certificate, at: datetime = SIGNED) -> dict[str, str | int]:
        nodes = {
            (n.level, n.index): n.hash
            for n in merkle.append(0, [leaf_hash(record) for record in self.records], merkle.getter({}))
        }
        root = merkle.root(size, merkle.getter(nodes))
        signature = key.sign(head_text(LOG, size, root, at))
        return head_to_json(SignedHead(LOG, size, root, at, signature, certificate.der))

    def write(self, name: str, content: Any) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    def receipt(self, head: dict[str, str | int]) -> dict[str, Any]:
        leaves = [leaf_hash(record) for record in self.records]
        nodes = {(n.level, n.index): n.hash for n in merkle.append(0, leaves, merkle.getter({}))}
        path = merkle.inclusion_path(INDEX, SIZE, merkle.getter(nodes))
        return {
            "record": {"canonical": base64.b64encode(self.records[INDEX]).decode()},
            "leafIndex": str(INDEX),
            "path": [base64.b64encode(node).decode() for node in path],
            "head": head,
        }


@pytest.fixture
def files(tmp_path: Path) -> Files:
    root_key = signer()
    root = make_root(root_key, DistinguishedName("Tongban 341500 SM2 Root"), Validity.days(START, 1000))
    records = [
        Record(
            name=f"sharing/auditRecords/{n}",
            record_time=START,
            transaction_id=f"t-{n}",
            action="Query",
            object="dataResources/1",
            result="OK",
            fields=("name",),
            purpose="核验",
        ).canonical()
        for n in range(SIZE)
    ]
    made = Files(tmp_path, root_key, root, records)
    key = signer()
    head = made.head(SIZE, key, made.certify("审计日志 341500/sharing", key))
    made.write("receipt.json", made.receipt(head))
    made.write("head.json", head)
    made.write("root.der", root.der)
    made.write("log.jsonl", b"".join(export_line(record) for record in records))
    return made


def run(files: Files, *options: str, receipt: str = "receipt.json") -> tuple[int, str]:
    arguments = ["verify", str(files.folder / receipt), "--root", str(files.folder / "root.der"), *options]
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def copy(files: Files, name: str = "log.jsonl") -> tuple[str, ...]:
    return "--log", str(files.folder / name), "--head", str(files.folder / "head.json")


def outcomes(output: str) -> list[str]:
    return [step["outcome"] for step in json.loads(output)["steps"]]


def test_a_good_receipt_holds(files: Files) -> None:
    code, output = run(files)
    assert code == 0, output
    assert "everything holds" in output
    assert " 5 ✓ check the head's signature" in output


class _Region:
    """Proves like the region's audit service, or refuses."""

    def __init__(self, files: Files, refusal: TongbanError | None = None) -> None:
        self._files, self._refusal = files, refusal

    def prove(self, receipt: common_pb2.Receipt) -> bytes:
        """Stands for ProvingRegion.prove with a client that this answers."""
        if self._refusal is not None:
            raise proving.ending(receipt, self._refusal)
        content = json.loads((self._files.folder / "receipt.json").read_bytes())
        return json.dumps(content | {"receipt": json_format.MessageToDict(receipt)}).encode()


def _receipt(files: Files, index: int = INDEX) -> common_pb2.Receipt:
    return common_pb2.Receipt(
        record=f"sharing/auditRecords/{index}",
        log=LOG,
        leaf_hash=leaf_hash(files.records[index]),
        transaction_id=f"t-{index}",
    )


def _header(receipt: common_pb2.Receipt, *, padded: bool = False) -> str:
    value = base64.b64encode(receipt.SerializeToString()).decode()
    return value if padded else value.rstrip("=")


def _curl(receipt: common_pb2.Receipt, ends: str = "\r\n") -> str:
    """What `curl -si` prints."""
    lines = ["HTTP/1.1 200 OK", "content-type: application/json", f"tongban-receipt-bin: {_header(receipt)}"]
    lines += [f"tongban-receipt: {_header(receipt)}", "server: tongban", "", '{"rows": []}']
    return ends.join(lines)


@pytest.mark.parametrize("form", ["curl -si", "curl -v", "value", "padded", "url-safe", "json"])
def test_a_receipt_is_taken_as_it_was_told(files: Files, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """It is proved by the region, kept, and holds; what was kept holds without any region."""
    monkeypatch.setattr(ProvingRegion, "prove", _Region(files).prove)
    receipt = _receipt(files)
    texts = {
        "curl -si": _curl(receipt),
        "curl -v": "\n".join(f"< {line}" for line in _curl(receipt, "\n").split("\n")),
        "value": _header(receipt),
        "padded": _header(receipt, padded=True),
        "url-safe": _header(receipt).replace("+", "-").replace("/", "_"),
        "json": json.dumps(json_format.MessageToDict(receipt)),
    }
    files.write("told", texts[form].encode())
    code, output = run(files, "--keep", str(files.folder / "kept.json"), receipt="told")
    assert (code, "everything holds" in output) == (0, True), output
    monkeypatch.undo()
    assert run(files, receipt="kept.json")[0] == 0


def test_a_headers_value_and_standard_input_are_taken(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProvingRegion, "prove", _Region(files).prove)
    root = ["--root", str(files.folder / "root.der")]
    given = CliRunner().invoke(app, ["verify", _header(_receipt(files)), *root])
    piped = CliRunner().invoke(app, ["verify", "-", *root], input=_curl(_receipt(files)))
    assert (given.exit_code, piped.exit_code) == (0, 0), given.output + piped.output


def test_a_receipt_of_another_record_does_not_hold(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """The region proves one record, the receipt is of another: the leaf gives it away."""
    monkeypatch.setattr(ProvingRegion, "prove", _Region(files).prove)
    files.write("told", _curl(_receipt(files, INDEX + 1)).encode())
    code, output = run(files, "--json", receipt="told")
    assert (code, outcomes(output)) == (1, ["PASSED", "PASSED", "FAILED", "NOT_DONE", "NOT_DONE"])


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        (
            reasons.log_not_yet_integrated("waits", retry_after=0.5, record="r"),
            4,
            "not yet: //341500/sharing has not put",
        ),
        (not_found("sharing/auditRecords/4"), 1, "knows no record"),
        (reasons.dependency_unavailable("away", dependency="the gateway"), 1, "the proof can't be had"),
    ],
)
def test_why_there_is_no_proof_is_said_in_words(
    files: Files, monkeypatch: pytest.MonkeyPatch, refusal: TongbanError, code: int, words: str
) -> None:
    monkeypatch.setattr(ProvingRegion, "prove", _Region(files, refusal).prove)
    files.write("told", _curl(_receipt(files)).encode())
    ended, output = run(files, receipt="told")
    assert (ended, words in output) == (code, True), output


def test_without_a_region_that_runs_it_says_what_to_do(files: Files, tmp_path: Path) -> None:
    files.write("told", _curl(_receipt(files)).encode())
    code, output = run(files, "--state", str(tmp_path), receipt="told")
    assert (code, "--gateway" in output) == (2, True), output


def test_of_two_receipts_the_other_regions_is_asked_for(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProvingRegion, "prove", _Region(files).prove)
    here = common_pb2.Receipt(record="sharing/auditRecords/1", log="//320402/sharing", leaf_hash=b"x" * 32)
    both = f"tongban-receipt: {_header(here)}\ntongban-receipt-abroad: {_header(_receipt(files))}\n"
    files.write("told", both.encode())
    assert run(files, "--abroad", receipt="told")[0] == 0
    assert run(files, receipt="told")[0] == 1
    files.write("one", f"tongban-receipt: {_header(_receipt(files))}\n".encode())
    assert run(files, "--abroad", receipt="one")[0] == 2


@pytest.mark.parametrize(
    "told", ["", "HTTP/1.1 200 OK\r\n\r\n{}", "tongban-receipt: AAAA\n", "tongban-receipt: !\n", '{"record": "x"}']
)
def test_what_holds_no_receipt_is_told_in_one_line(files: Files, told: str) -> None:
    files.write("told", told.encode())
    code, output = run(files, receipt="told")
    assert (code, "receipt" in output) == (2, True), output


def test_a_good_receipt_and_copy_hold(files: Files) -> None:
    code, output = run(files, *copy(files), "--json")
    assert code == 0
    described = json.loads(output)
    assert (described["valid"], described["first_difference"]) == (True, None)
    assert described["record"]["transaction_id"] == f"t-{INDEX}"
    assert [step["number"] for step in described["steps"]] == list(range(1, 11))
    assert run(files, "--log", str(files.folder / "log.jsonl"))[0] == 0


def test_a_changed_record_is_caught(files: Files) -> None:
    content = json.loads((files.folder / "receipt.json").read_bytes())
    changed = files.records[INDEX].replace(b'"OK"', b'"NO"')
    content["record"]["canonical"] = base64.b64encode(changed).decode()
    files.write("changed.json", content)
    code, output = run(files, "--json", receipt="changed.json")
    assert code == 1
    assert outcomes(output) == ["PASSED", "PASSED", "PASSED", "FAILED", "NOT_DONE"]


def test_a_changed_copy_is_caught_and_the_record_named(files: Files) -> None:
    log = (files.folder / "log.jsonl").read_bytes()
    files.write("changed.jsonl", log.replace("核验".encode(), "游览".encode(), 1))
    code, output = run(files, *copy(files, "changed.jsonl"))
    assert code == 1
    assert "the first record that differs from the signed log: 0" in output
    code, output = run(files, *copy(files, "changed.jsonl"), "--json")
    assert outcomes(output) == [*["PASSED"] * 6, "FAILED", "PASSED", "FAILED", "PASSED"]


def test_a_copy_cut_short_or_of_another_log_is_caught(files: Files) -> None:
    lines = (files.folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    files.write("cut.jsonl", b"".join(lines[:3]))
    code, output = run(files, *copy(files, "cut.jsonl"), "--json")
    assert code == 1
    assert outcomes(output)[-3:] == ["FAILED", "FAILED", "FAILED"]
    key = signer()
    files.write("head.json", files.head(3, key, files.certify("审计日志 341500/sharing", key)))
    code, output = run(files, *copy(files, "cut.jsonl"), "--json")
    assert code == 1
    assert outcomes(output)[-2:] == ["PASSED", "FAILED"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda files, key: files.certify("审计日志 341500/seal", key),
        lambda files, key: files.certify("审计日志 9341500/sharing", key),
        lambda files, key: files.certify("审计日志 341500/sharing", key, Profile.SUBORDINATE_CA),
        # Issued by the region's root and with the right name, but for something else.
        lambda files, key: files.certify("审计日志 341500/sharing", key, Profile.SEAL_MAKER),
        lambda files, key: files.certify("审计日志 341500/sharing", key, Profile.SIGNER),
        lambda files, key: make_root(key, DistinguishedName("审计日志 341500/sharing"), Validity.days(START, 100)),
    ],
)
def test_a_head_signed_by_another_key_is_no_measure(
    files: Files, forge: Callable[[Files, Signer], Certificate]
) -> None:
    key = signer()
    files.write("receipt.json", files.receipt(files.head(SIZE, key, forge(files, key))))
    code, output = run(files, "--json")
    assert (code, outcomes(output)[-1]) == (1, "FAILED")


def test_what_a_later_release_wrote_is_neither_good_nor_broken(files: Files) -> None:
    files.records[INDEX] = files.records[INDEX].replace(b'{"v":1,', b'{"v":2,"new":"unknown",')
    key = signer()
    files.write("receipt.json", files.receipt(files.head(SIZE, key, files.certify("审计日志 341500/sharing", key))))
    files.write("log.jsonl", b"".join(export_line(record) for record in files.records))
    code, output = run(files, "--log", str(files.folder / "log.jsonl"))
    assert code == 3
    assert " 2 ? read the record" in output
    assert "version 2" in output
    assert "take a newer tongban" in output
    assert "does not hold" not in output
    code, output = run(files, "--log", str(files.folder / "log.jsonl"), "--json")
    assert (code, json.loads(output)["valid"], json.loads(output)["unknown_version"]) == (3, False, True)
    assert outcomes(output) == ["PASSED", "UNKNOWN_VERSION", *["PASSED"] * 4, "UNKNOWN_VERSION", *["PASSED"] * 3]
    files.write("log.jsonl", b"".join(export_line(record) for record in [*files.records[:3], *files.records[4:]]))
    assert run(files, "--log", str(files.folder / "log.jsonl"))[0] == 1


def test_a_head_signed_after_the_certificate_ended_does_not_hold(files: Files) -> None:
    key = signer()
    late = files.head(SIZE, key, files.certify("审计日志 341500/sharing", key), START + timedelta(days=101))
    files.write("receipt.json", files.receipt(late))
    code, output = run(files, "--json")
    assert code == 1
    assert "EXPIRED" in output


def test_what_is_no_evidence_gets_one_clear_line(files: Files) -> None:
    files.write("empty.json", b"{}")
    assert run(files, receipt="empty.json")[0] == 1
    files.write("head.json", b"[]")
    assert run(files, *copy(files))[0] == 1
    assert run(files, "--head", str(files.folder / "head.json"))[0] == 2
    assert run(files, receipt="missing.json")[0] == 2
    files.write("root.der", b"no certificate")
    assert run(files)[0] == 2


def test_the_root_is_found_in_the_state_folder_of_the_receipts_region(files: Files, tmp_path: Path) -> None:
    receipt, state = str(files.folder / "receipt.json"), tmp_path / "state"
    command = ["verify", receipt, "--state", str(state)]
    missing = CliRunner().invoke(app, command)
    assert missing.exit_code == 2
    root = state / "341500" / "root" / "root.der"
    root.parent.mkdir(parents=True)
    root.write_bytes((files.folder / "root.der").read_bytes())
    assert CliRunner().invoke(app, command).exit_code == 0
