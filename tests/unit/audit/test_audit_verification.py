"""Receipts and log copies, verified offline with a real SM2 key."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format

from libs.audit import merkle
from libs.audit.copies import export_line, verify_log
from libs.audit.digests import salt_of, salted
from libs.audit.heads import SignedHead, head_from_json, head_text, head_to_json
from libs.audit.receipts import verify_receipt
from libs.audit.records import Record, leaf_hash
from libs.audit.report import Outcome, Report
from libs.crypto.errors import InvalidSignature
from libs.crypto.sm3 import HmacSm3, sm3
from libs.crypto.tongsuo import TongsuoProvider
from tongban.audit.v1 import audit_service_pb2 as pb
from tongban.common.v1 import common_pb2

PROVIDER = TongsuoProvider()
KEY = PROVIDER.sm2_generate()
LOG = "//341500/sharing"
MOMENT = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
SIZE = 21


def verify_signature(certificate: bytes, message: bytes, signature: bytes) -> None:
    if certificate != b"certificate of the log":
        raise InvalidSignature("another log's certificate")
    PROVIDER.sm2_verify(KEY.public_key, message, signature)


def signed_head(size: int, root: bytes, log: str = LOG) -> SignedHead:
    signature = PROVIDER.sm2_sign(KEY, head_text(log, size, root, MOMENT))
    return SignedHead(log, size, root, MOMENT, signature, b"certificate of the log")


RECORDS = [
    Record(
        name=f"sharing/auditRecords/{n}",
        record_time=MOMENT,
        transaction_id=f"t-{n}",
        action="Query",
        object="dataResources/1",
        result="OK",
        fields=("name",),
        purpose="核验",
    ).canonical()
    for n in range(SIZE)
]
NODES = {(n.level, n.index): n.hash for n in merkle.append(0, [leaf_hash(r) for r in RECORDS], merkle.getter({}))}
HEAD = signed_head(SIZE, merkle.root(SIZE, merkle.getter(NODES)))


def receipt_file(index: int) -> dict[str, Any]:
    """What ProveInclusion answers over the gateway, with the receipt that the caller kept."""
    proof = pb.InclusionProof(
        record=pb.AuditRecord(
            name=f"sharing/auditRecords/{index}", transaction_id=f"t-{index}", canonical=RECORDS[index]
        ),
        leaf_index=index,
        path=merkle.inclusion_path(index, SIZE, merkle.getter(NODES)),
        head=pb.AuditHead(
            log=LOG,
            tree_size=SIZE,
            root_hash=HEAD.root_hash,
            signature=HEAD.signature,
            certificate=HEAD.certificate,
            version=1,
        ),
    )
    proof.head.sign_time.FromDatetime(MOMENT)
    receipt = common_pb2.Receipt(
        record=proof.record.name, log=LOG, leaf_hash=leaf_hash(RECORDS[index]), transaction_id=f"t-{index}"
    )
    return json_format.MessageToDict(proof) | {"receipt": json_format.MessageToDict(receipt)}


def outcomes(report: Report) -> list[Outcome]:
    return [step.outcome for step in report.steps]


def verified(content: dict[str, Any]) -> Report:
    return verify_receipt(json.dumps(content).encode(), verify_signature)


@pytest.mark.parametrize("index", [0, 1, 15, 16, 20])
def test_a_true_receipt(index: int) -> None:
    report = verified(receipt_file(index))
    assert report.valid, report.steps
    assert [step.number for step in report.steps] == [1, 2, 3, 4, 5]
    assert report.record is not None
    assert report.record.transaction_id == f"t-{index}"


def test_a_proof_without_the_receipt_verifies_too() -> None:
    content = receipt_file(3)
    del content["receipt"]
    assert verified(content).valid


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (1, lambda c: c.pop("head")),
        (1, lambda c: c["head"].update(rootHash="?")),
        (1, lambda c: c["head"].update(treeSize="many")),
        (2, lambda c: c["record"].update(canonical=encoded(RECORDS[4] + b" "))),
        (2, lambda c: c["record"].update(transactionId="t-5")),
        (2, lambda c: c["record"].update(purpose="游览")),
        (2, lambda c: c["record"].update(fields=["name", "phone"])),
        (2, lambda c: c["record"].update(recordCount="7")),
        (2, lambda c: c["record"].update(recordTime="2024-05-01T08:00:01Z")),
        (2, lambda c: c["record"].update(requestHash=encoded(b"of another request"))),
        (2, lambda c: c.update(record=None)),
        (3, lambda c: c["receipt"].update(leafHash=encoded(leaf_hash(RECORDS[5])))),
        (3, lambda c: c["receipt"].update(log="//341500/seal")),
        (3, lambda c: c["receipt"].update(recordTime="2024-05-01T08:00:01Z")),
        (3, lambda c: c["receipt"].pop("record")),
        (4, lambda c: c.update(leafIndex="5")),
        (4, lambda c: c["path"].pop()),
        (4, lambda c: c.update(path=None)),
        (5, lambda c: c["head"].update(signTime="2024-05-01T08:00:01Z")),
        (5, lambda c: c["head"].update(signature=encoded(b"no signature"))),
        (5, lambda c: c["head"].update(certificate=encoded(b"of another log"))),
    ],
)
def test_each_forgery_fails_at_its_step(step: int, change: Callable[[dict[str, Any]], object]) -> None:
    content = receipt_file(4)
    change(content)
    report = verified(content)
    assert not report.valid
    expected = [Outcome.PASSED] * (step - 1) + [Outcome.FAILED] + [Outcome.NOT_DONE] * (5 - step)
    assert outcomes(report) == expected
    assert (report.record is None) == (step <= 2)


def test_a_rewritten_record_does_not_lead_to_the_root() -> None:
    content = receipt_file(4)
    changed = RECORDS[4].replace(b'"result":"OK"', b'"result":"FIELD_NOT_GRANTED"')
    content["record"]["canonical"] = encoded(changed)
    del content["receipt"]
    assert outcomes(verified(content))[3] is Outcome.FAILED


def of_a_later_release(data: bytes) -> bytes:
    return data.replace(b'{"v":1,', b'{"v":2,"new":"unknown",')


def test_a_record_of_a_later_version_is_proved_and_said_to_be_unknown() -> None:
    records = [of_a_later_release(each) if n == 4 else each for n, each in enumerate(RECORDS)]
    nodes = {(n.level, n.index): n.hash for n in merkle.append(0, [leaf_hash(r) for r in records], merkle.getter({}))}
    head = signed_head(SIZE, merkle.root(SIZE, merkle.getter(nodes)))
    path = merkle.inclusion_path(4, SIZE, merkle.getter(nodes))
    content = receipt_file(4)
    content["record"] = {"canonical": encoded(records[4])}
    content["path"] = [encoded(node) for node in path]
    content["head"] = head_to_json(head)
    content["receipt"]["leafHash"] = encoded(leaf_hash(records[4]))
    report = verified(content)
    assert outcomes(report) == [Outcome.PASSED, Outcome.UNKNOWN_VERSION, *[Outcome.PASSED] * 3]
    assert (report.valid, report.unknown, report.record) == (False, True, None)
    assert "version 2" in report.steps[1].detail
    copy = verify_log([export_line(each) for each in records], head, verify_signature)
    assert outcomes(copy) == [Outcome.PASSED, Outcome.UNKNOWN_VERSION, Outcome.PASSED, Outcome.PASSED]
    assert (copy.valid, copy.unknown, copy.first_difference) == (False, True, None)
    assert copy.steps[1].detail.startswith("record 4: ")


def test_to_call_a_changed_record_a_later_version_helps_nobody() -> None:
    content = receipt_file(4)
    content["record"] = {"canonical": encoded(of_a_later_release(RECORDS[4]))}
    del content["receipt"]
    report = verified(content)
    assert outcomes(report)[1:4] == [Outcome.UNKNOWN_VERSION, Outcome.PASSED, Outcome.FAILED]
    assert (report.valid, report.unknown) == (False, False)


def test_a_head_of_a_later_version_is_said_to_be_unknown() -> None:
    content = receipt_file(4)
    content["head"]["version"] = 2
    report = verified(content)
    assert outcomes(report) == [*[Outcome.PASSED] * 4, Outcome.UNKNOWN_VERSION]
    assert (report.valid, report.unknown) == (False, True)
    later = verify_log(LINES, head_from_json(content["head"]), verify_signature)
    assert outcomes(later)[0] is Outcome.UNKNOWN_VERSION
    del content["head"]["version"]
    assert outcomes(verified(content))[0] is Outcome.FAILED


def test_what_was_asked_and_answered_is_shown_by_whoever_holds_the_receipt() -> None:
    salt = salt_of(HmacSm3(b"key of the service"), "sharing/auditRecords/0")
    record = Record(
        name="sharing/auditRecords/0",
        record_time=MOMENT,
        transaction_id="t-0",
        action="Query",
        result="OK",
        request_hash=salted(salt, sm3(b"asked")),
        response_hash=salted(salt, sm3(b"answered")),
    ).canonical()
    leaf = leaf_hash(record)
    receipt = common_pb2.Receipt(
        record="sharing/auditRecords/0", log=LOG, leaf_hash=leaf, transaction_id="t-0", hash_salt=salt
    )
    content: dict[str, Any] = {
        "record": {"canonical": encoded(record)},
        "head": head_to_json(signed_head(1, leaf)),
        "receipt": json_format.MessageToDict(receipt),
    }
    data = json.dumps(content).encode()
    shown = verify_receipt(data, verify_signature, b"asked", b"answered")
    assert shown.valid
    assert [(step.number, step.name) for step in shown.steps[5:]] == [
        (6, "open the request's hash"),
        (7, "open the response's hash"),
    ]
    assert outcomes(verify_receipt(data, verify_signature, b"asked."))[5:] == [Outcome.FAILED]
    assert outcomes(verify_receipt(data, verify_signature, response=b"asked"))[5:] == [Outcome.FAILED]
    del content["receipt"]["hashSalt"]
    assert "salt" in verify_receipt(json.dumps(content).encode(), verify_signature, b"asked").steps[5].detail


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{}", b"null", b'{"head": 1}', b"[" * 100_000])
def test_garbage_fails_at_the_first_step(data: bytes) -> None:
    assert outcomes(verify_receipt(data, verify_signature))[0] is Outcome.FAILED


def test_heads_read_back_from_the_gateways_json() -> None:
    assert head_from_json(receipt_file(0)["head"]) == HEAD
    assert head_from_json(head_to_json(HEAD)) == HEAD
    assert head_text(LOG, 2, b"\xab", MOMENT) == b"tongban-log-head 1\n//341500/sharing\n2\nab\n2024-05-01T08:00:00Z\n"


# ---- copies of the log ----

LINES = [export_line(record) for record in RECORDS]


def test_a_true_copy() -> None:
    report = verify_log(LINES, HEAD, verify_signature)
    assert report.valid, report.steps
    assert report.first_difference is None
    assert verify_log([line.decode() for line in LINES], HEAD, verify_signature).valid


def test_a_copy_that_went_on_after_the_head() -> None:
    assert verify_log([*LINES, b"a later record"], HEAD, verify_signature).valid


def test_an_empty_log() -> None:
    assert verify_log([], signed_head(0, merkle.EMPTY_ROOT), verify_signature).valid


@pytest.mark.parametrize("index", [0, 7, 20])
def test_a_changed_record_is_named(index: int) -> None:
    changed = [*LINES]
    changed[index] = changed[index].replace("核验".encode(), "游览".encode())
    report = verify_log(changed, HEAD, verify_signature)
    assert outcomes(report) == [Outcome.PASSED, Outcome.FAILED, Outcome.PASSED, Outcome.FAILED]
    assert report.first_difference == index
    assert f"record {index}" in report.steps[1].detail


def test_a_changed_record_with_its_hash_rewritten_is_caught_but_not_named() -> None:
    changed = [*LINES]
    changed[7] = export_line(RECORDS[7].replace("核验".encode(), "游览".encode()))
    report = verify_log(changed, HEAD, verify_signature)
    assert outcomes(report) == [Outcome.PASSED, Outcome.PASSED, Outcome.PASSED, Outcome.FAILED]
    assert report.first_difference is None


def test_left_out_added_swapped_and_cut() -> None:
    for changed in (LINES[:7] + LINES[8:], [LINES[0], *LINES], [LINES[1], LINES[0], *LINES[2:]], LINES[:-1], []):
        report = verify_log(changed, HEAD, verify_signature)
        assert not report.valid
        assert report.steps[3].outcome is Outcome.FAILED


@pytest.mark.parametrize("line", [b"\n", b"{}", b"[]", b"\xff\xfe", b'{"canonical":"{}","leafHash":"zz"}', b"1"])
def test_a_broken_line_does_not_stop_the_verification(line: bytes) -> None:
    report = verify_log([*LINES[:5], line, *LINES[6:]], HEAD, verify_signature)
    assert not report.valid
    assert "record 5" in report.steps[1].detail


def test_a_forged_head_is_no_measure() -> None:
    forged = SignedHead(LOG, SIZE, HEAD.root_hash, MOMENT, b"forged", b"certificate of the log")
    assert outcomes(verify_log(LINES, forged, verify_signature))[0] is Outcome.FAILED
