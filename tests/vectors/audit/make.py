"""Writes the fixture log of a release: what its region would have left behind, for every later program to verify.

Run once, when a release is cut, on its commit (``python -m tests.vectors.audit.make 0.2.0``), and never again for that release: the
folder is evidence of what the release wrote. The keys are made here and thrown away, so nobody can write it anew or add to it.

A folder holds the region's root and, for each service, a copy of its log, the head that signs it, and for some records what the
caller kept: the receipt with its proof, and the bytes of request and answer.
"""

import argparse
import json
import platform
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from google.protobuf import json_format
from google.protobuf.message import Message

from libs.audit import merkle
from libs.audit.api import record_message
from libs.audit.copies import export_line
from libs.audit.heads import SignedHead, head_text, head_to_json
from libs.audit.log import AuditEntry, Log
from libs.audit.rows import StoredRecord
from libs.client.receipts import receipt_file
from libs.crypto.provider import Signer, SoftwareSigner
from libs.crypto.sm3 import HmacSm3, sm3
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate, DistinguishedName, Profile, Validity, issue_certificate, make_root
from libs.db.command import Command
from libs.rpc.contract import Method
from libs.rpc.messages import wire_bytes
from tests.support import contracts, requests
from tests.support.wire_form import filled, reversed_fields
from tongban.audit.v1 import audit_service_pb2
from tongban.common.v1 import common_pb2

FOLDER = Path(__file__).parent
REGION = "341500"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_RECORDS = 11
_KEPT = (0, 4, 9, 10)
_PROVIDER = default_provider()


@dataclass(frozen=True)
class Done:
    """One thing that was done: its record, and what its caller sent and got."""

    entry: AuditEntry
    asked: bytes
    answered: bytes


def main() -> None:
    """Makes the folder of the release that is named; refuses where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", help="such as 0.2.0")
    release = FOLDER / parser.parse_args().release
    release.mkdir()
    root_key = _signer()
    root = make_root(root_key, DistinguishedName(f"Tongban {REGION} SM2 Root"), Validity.days(_START, 3650))
    (release / "root.der").write_bytes(root.der)
    for service in contracts.OWNERS:
        _write(release / service, service, root, root_key)
    (release / "provenance.json").write_text(json.dumps(_provenance(release.name), indent=1) + "\n", encoding="utf-8")


def _provenance(release: str) -> dict[str, str]:
    git = ["git", "-C", str(FOLDER), "rev-parse", "HEAD"]
    return {
        "release": release,
        "made_by": "python -m tests.vectors.audit.make",
        "commit": subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip(),
        "python": platform.python_version(),
        "content": "Made-up callers and requests; times from 2026-01-01 on. The keys were made for it and thrown away.",
    }


def _signer() -> Signer:
    return SoftwareSigner(_PROVIDER, _PROVIDER.sm2_generate())


def _write(folder: Path, service: str, root: Certificate, root_key: Signer) -> None:
    folder.mkdir()
    key, log = _signer(), Log(service, REGION, HmacSm3(secrets.token_bytes(32)))
    name = DistinguishedName(f"审计日志 {REGION}/{service}", organization="Tongban")
    certificate = issue_certificate(root, root_key, name, key.public_key, Profile.LOG, Validity.days(_START, 366))
    done = list(_done(log))
    nodes = {(n.level, n.index): n.hash for n in merkle.append(0, [d.entry.leaf_hash for d in done], merkle.getter({}))}
    head = _head(f"//{REGION}/{service}", len(done), merkle.root(len(done), merkle.getter(nodes)), key, certificate)
    (folder / "log.jsonl").write_bytes(b"".join(export_line(d.entry.canonical) for d in done))
    (folder / "head.json").write_text(json.dumps(head_to_json(head), indent=1) + "\n", encoding="utf-8")
    for index in _KEPT:
        path = merkle.inclusion_path(index, len(done), merkle.getter(nodes))
        _keep(folder, log, done[index], _proof(service, index, done[index].entry, path, head))


def _head(log: str, size: int, root: bytes, key: Signer, certificate: Certificate) -> SignedHead:
    time = _START + timedelta(days=1)
    return SignedHead(log, size, root, time, key.sign(head_text(log, size, root, time)), certificate.der)


def _proof(
    service: str, index: int, entry: AuditEntry, path: list[bytes], head: SignedHead
) -> audit_service_pb2.InclusionProof:
    row = StoredRecord(index + 1, entry.id, entry.record_time, entry.transaction_id, entry.object, entry.canonical)
    proof = audit_service_pb2.InclusionProof(
        record=record_message(row, service, with_canonical=True), leaf_index=index, path=path
    )
    json_format.ParseDict(head_to_json(head), proof.head)
    return proof


def _keep(folder: Path, log: Log, done: Done, proof: audit_service_pb2.InclusionProof) -> None:
    stem = f"{proof.leaf_index:02}"
    (folder / f"{stem}.receipt.json").write_bytes(receipt_file(proof, log.receipt(done.entry)) + b"\n")
    (folder / f"{stem}.request").write_bytes(done.asked)
    (folder / f"{stem}.response").write_bytes(done.answered)


def _done(log: Log) -> Iterator[Done]:
    """Calls of RPCs of the service, as they come in its contract: changes and reads, every third is refused."""
    methods = contracts.methods_of_owner(log.service)
    for number in range(_RECORDS):
        method = methods[number * len(methods) // _RECORDS]
        request, answer = requests.full(method.descriptor.input_type), filled(method.descriptor.output_type, 1)
        yield _called(log, number, method, request, answer)


def _called(log: Log, number: int, method: Method, request: Message, answer: Message) -> Done:
    # Every other caller's library writes its fields in an order of its own.
    asked = reversed_fields(request) if number % 2 else wire_bytes(request)
    refused = number % 3 == 2
    answered = b"" if refused else wire_bytes(answer)
    use = common_pb2.UseContext(
        purpose_code="QUALIFICATION_CHECK", purpose="核验经营场所", case="cases/1", law="《中华人民共和国行政许可法》"
    )
    command = Command(
        caller="staff/1",
        method=method.name,
        request_id=str(number),
        digest=sm3(asked),
        response_type=type(answer),
        actor=f"staff/00000000-0000-7000-8000-{number:012}",
        on_behalf_of="organizations/00000000-0000-7000-8000-000000000001" if number % 4 == 0 else "",
        department="departments/00000000-0000-7000-8000-000000000002",
        assurance=number % 5,
        trace_id=f"{number:032x}",
        use=use if number % 2 == 0 else common_pb2.UseContext(),
    )
    entry = log.entry(
        command,
        _START + timedelta(seconds=number, milliseconds=120 * (number % 2), microseconds=7 * (number % 3)),
        f"{log.service}/{number}",
        result="FIELD_NOT_GRANTED" if refused else "OK",
        fields=("姓名", "住所", "phone")[: number % 4],
        record_count=number,
        response_digest=sm3(answered) if answered else b"",
    )
    return Done(entry, asked, answered)


if __name__ == "__main__":
    main()
