"""What the demo checks with other software, or offline: openssl on the seal, `tongban audit verify` on the log."""

import base64
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx

from deploy.local import programs
from deploy.local.demo.gateway import Gateway
from deploy.local.demo.office import Office
from libs.audit.copies import export_line
from libs.crypto.x509 import Certificate
from libs.documents.ofd import open_ofd
from libs.errors import TongbanError
from libs.ids import license_identifier
from services.seal.core import ses
from tongban.seal.v1 import resources_pb2 as seal_resources

_SM2_IDENTIFIER = "distid:1234567812345678"


def identifier_holds(text: str) -> bool:
    """Tells whether a licence identifier's form and check character hold (GB/T 36904)."""
    try:
        license_identifier.parse(text, "identifier")
    except TongbanError:
        return False
    return True


def openssl_verifies(ofd: Path, folder: Path) -> str:
    """Lets the ``openssl`` command check the SM2 signature value over the signed bytes; returns what it says."""
    package = open_ofd(ofd.read_bytes())
    signed = next(content for name, content in package.entries.items() if name.endswith("SignedValue.dat"))
    parsed = ses.parse_signature(signed)
    files = {
        "seal-tbs.bin": parsed.tbs_raw,
        "seal-signature.der": parsed.signature,
        "seal-key.pem": Certificate.parse(parsed.certificate).public_key.pem,
    }
    for name, content in files.items():
        folder.joinpath(name).write_bytes(content)
    done = subprocess.run(
        (
            "openssl",
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "seal-key.pem",
            "-in",
            "seal-tbs.bin",
            "-rawin",
            "-digest",
            "sm3",
            "-sigfile",
            "seal-signature.der",
            "-pkeyopt",
            _SM2_IDENTIFIER,
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def conclusion_of(page: str) -> str:
    """Reads the conclusion off the public verification page."""
    found = re.search(r'class="verdict [a-z]+">([^<]+)<', page)
    return found[1] if found else "no conclusion"


async def proof_of(gateway: Gateway, record: str, token: str) -> dict[str, Any] | None:
    """Asks for a record's inclusion proof; None while the record waits for the next signed head."""
    try:
        proof: dict[str, Any] = await gateway.get(f"/v1/audit/{record}:proveInclusion", token)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return None
        raise
    return proof


async def export_log(gateway: Gateway, service: str, token: str, size: int) -> bytes:
    """Copies a service's log through the API, in the order of its leaves, one line a record."""
    lines: dict[int, bytes] = {}
    page_token = ""
    while True:
        page = await gateway.get(f"/v1/audit/{service}/auditRecords", token, pageSize="1000", pageToken=page_token)
        for record in page.get("auditRecords", ()):
            proof = await proof_of(gateway, record["name"], token)
            if proof is not None:
                canonical = base64.b64decode(proof["record"]["canonical"])
                lines[int(proof.get("leafIndex", 0))] = export_line(canonical)
        page_token = page.get("nextPageToken", "")
        if not page_token:
            return b"".join(lines[index] for index in range(size))


def audit_verify(receipt: Path, root: Path, log: Path | None = None, head: Path | None = None) -> int:
    """Runs ``tongban audit verify`` and returns its exit status: 0 where everything holds."""
    options = [f"--root={root}", *([f"--log={log}"] if log else []), *([f"--head={head}"] if head else [])]
    command = programs.python("deploy.local.cli", "audit", "verify", str(receipt), *options)
    return subprocess.run(command, capture_output=True, check=False).returncode


async def seal_uses(office: Office) -> tuple[int, int]:
    """Counts the bureau's sealings that were signed, and the uses that the seal service's audit log recorded before."""
    custody = office.gateway.using(await office.token_of("custody"))
    states = [
        each.state async for each in custody.seal.iterate_sealings(filter=f"seal = {office.seal}", page_size=1000)
    ]
    return states.count(seal_resources.SEALING_STATE_SIGNED), await _recorded_uses(office)


async def _recorded_uses(office: Office) -> int:
    """A use is recorded with its intent, before the key is touched."""
    auditing = office.gateway.using(await office.token_of("auditing"))
    records = auditing.audit.iterate_audit_records(parent="seal", filter=f"object = {office.seal}", page_size=1000)
    return sum([each.record_count async for each in records if each.action.endswith(".intent")])
