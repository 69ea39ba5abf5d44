"""Checks offline what somebody took home of their data: each service's part is the service's, whole, and of the same person."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from libs.audit.records import parse_rfc3339
from libs.audit.report import Outcome, Report, Step
from libs.crypto.errors import CryptoError
from libs.crypto.provider import SmProvider
from libs.crypto.x509 import Certificate, Role, TrustPolicy, verify_chain
from libs.documents.store import digest_of
from libs.owndata.copies import FORMAT

EXPORT_FORMAT = "tongban-own-data-export 1"
_MOST_BYTES = 64 * 1024 * 1024
_CLAUSES = {
    "read": "tongban.owndata.v1.DownloadOwnDataResponse.content",
    "digest": "GB/T 32905; tongban.owndata.v1.DownloadOwnDataResponse.digest",
    "signature": "GB/T 32918.2; tongban.owndata.v1.DownloadOwnDataResponse.signature",
}


class WrongExport(ValueError):
    """Something of the export is not so; the message says what."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What lies in an export of one service."""

    service: str
    content: bytes
    signature: bytes
    certificate: bytes


def verify_export(data: bytes, root: Certificate, provider: SmProvider) -> Report:
    """Checks an export under the root of its region; every step says what it found."""
    steps: list[Step] = []
    try:
        manifest, parts = _opened(data)
    except (WrongExport, ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        return Report((Step(1, "read the export", EXPORT_FORMAT, Outcome.FAILED, f"it can't be read: {error}"),))
    steps.append(Step(1, "read the export", EXPORT_FORMAT, Outcome.PASSED, _told(manifest)))
    for part in parts:
        steps += _checked(part, manifest, root, provider, len(steps) + 1)
    return Report(tuple(steps))


def region_of(data: bytes) -> str:
    """Returns the region whose export it says it is; empty where it can't be read, which its verification tells."""
    try:
        return str(_opened(data)[0]["region"])
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile):
        return ""


def _opened(data: bytes) -> tuple[Mapping[str, Any], list[_Part]]:
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        if sum(each.file_size for each in whole.infolist()) > _MOST_BYTES:
            raise WrongExport("it is larger than any that a region makes")
        manifest = json.loads(whole.read("manifest.json"))
        if manifest["format"] != EXPORT_FORMAT:
            raise WrongExport(f"its format is {manifest['format']!r}")
        names = sorted(manifest["files"])
        there = {each.partition(".")[0] for each in whole.namelist()} - {"manifest", "README"}
        if there != set(names):
            raise WrongExport("it does not hold the files that its manifest names")
        ends = ("json", "sig", "pem")
        return manifest, [_Part(each, *(whole.read(f"{each}.{end}") for end in ends)) for each in names]


def _told(manifest: Mapping[str, Any]) -> str:
    away, cut = ", ".join(manifest["unreachable"]), ", ".join(manifest["incomplete"])
    missing = f"; did not answer: {away}" if away else ""
    return f"of {manifest['subject']} in {manifest['region']}{missing}" + (f"; not all of: {cut}" if cut else "")


def _checked(
    part: _Part, manifest: Mapping[str, Any], root: Certificate, provider: SmProvider, first: int
) -> Iterator[Step]:
    checks = (
        ("read", lambda: _read(part, manifest)),
        ("digest", lambda: _same_digest(part, manifest)),
        ("signature", lambda: _signed(part, manifest, root, provider)),
    )
    failed = False
    for number, (what, check) in enumerate(checks, first):
        outcome, detail = (Outcome.NOT_DONE, "") if failed else _outcome(check)
        failed = failed or outcome is Outcome.FAILED
        yield Step(number, f"{what} of {part.service}", _CLAUSES[what], outcome, detail)


def _outcome(check: Any) -> tuple[Outcome, str]:
    try:
        return Outcome.PASSED, check()
    except (WrongExport, CryptoError, ValueError, KeyError, TypeError) as error:
        return Outcome.FAILED, str(error)


def _read(part: _Part, manifest: Mapping[str, Any]) -> str:
    told = json.loads(part.content)
    said = {"format": FORMAT, "region": manifest["region"], "service": part.service, "subject": manifest["subject"]}
    for member, value in said.items():
        if told[member] != value:
            raise WrongExport(f"{member} is {told[member]!r}, not {value!r}")
    return f"{sum(len(each['items']) for each in told['kinds'])} resources, {len(told['uses']['items'])} uses"


def _same_digest(part: _Part, manifest: Mapping[str, Any]) -> str:
    digest = digest_of(part.content)
    if digest != manifest["files"][part.service]:
        raise WrongExport("the file is not the one that the manifest names")
    return digest


def _signed(part: _Part, manifest: Mapping[str, Any], root: Certificate, provider: SmProvider) -> str:
    """The certificate is that of this service's log in this region, held when the file was made, and its key signed the bytes."""
    leaf, moment = Certificate.from_pem(part.certificate), str(json.loads(part.content)["time"])
    verify_chain(leaf, (), parse_rfc3339(moment), TrustPolicy((root,), require_crl=False), provider, Role.AUDIT_LOG)
    common_name = leaf.subject.removeprefix("CN=").partition(", ")[0]
    if not f" {common_name}".endswith(f" {manifest['region']}/{part.service}"):
        raise WrongExport(f"the certificate is that of {common_name}")
    provider.sm2_verify(leaf.public_key, part.content, part.signature)
    return f"by {common_name}, {moment}"
