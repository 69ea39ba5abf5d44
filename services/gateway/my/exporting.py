"""All that the services gave, as one file to keep: each one's part as it signed it, and what says which did not answer."""

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime

from libs.audit.records import rfc3339
from libs.owndata.verification import EXPORT_FORMAT
from tongban.owndata.v1 import own_data_service_pb2 as pb

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_READ_ME = """这是{region}为 {subject} 保存的数据的副本。每个服务一份（*.json），由该服务签名（*.sig，SM2 与 SM3），证书在 *.pem。
manifest.json 说明各份的摘要、哪些服务没有回答（unreachable）、哪些没有装下全部（incomplete）。

This is a copy of what {region} holds on {subject}: one file of each service (*.json), signed by it (*.sig, SM2 with SM3) under the
certificate *.pem. manifest.json tells the digest of each, which services did not answer (unreachable), and which hold more than their
file took (incomplete).

核验 / To verify:
  ./run audit own-data tongban-my-data.zip
  openssl x509 -in identity.pem -pubkey -noout > identity.pub
  openssl dgst -sm3 -verify identity.pub -sigopt distid:1234567812345678 -signature identity.sig identity.json
"""


def packed(files: Mapping[str, pb.DownloadOwnDataResponse | None], subject: str, region: str) -> bytes:
    """Returns the ZIP: the files of the services that answered, and a manifest that names those that did not."""
    there = {service: file for service, file in files.items() if file is not None}
    manifest = {
        "format": EXPORT_FORMAT,
        "region": region,
        "subject": subject,
        "time": rfc3339(datetime.now(UTC)),
        "files": {service: file.digest for service, file in there.items()},
        "unreachable": [service for service, file in files.items() if file is None],
        "incomplete": [service for service, file in there.items() if not file.complete],
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as whole:
        _add(whole, "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        _add(whole, "README.txt", _READ_ME.format(region=region, subject=subject).encode())
        for service, file in there.items():
            _add(whole, f"{service}.json", file.content)
            _add(whole, f"{service}.sig", file.signature)
            _add(whole, f"{service}.pem", _pem(file.certificate))
    return made.getvalue()


def _add(whole: zipfile.ZipFile, name: str, content: bytes) -> None:
    whole.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED)


def _pem(der: bytes) -> bytes:
    lines = base64.encodebytes(der).decode().replace("\n", "")
    body = "\n".join(lines[place : place + 64] for place in range(0, len(lines), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()
