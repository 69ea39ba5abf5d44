"""What somebody takes home of their data is one file, and whoever gets it sees offline what of it is true."""

import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local.audit_cli import app
from libs.audit.report import Outcome, Report
from libs.crypto.provider import Signer, SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate, DistinguishedName, Profile, Validity, issue_certificate, make_root
from libs.documents.store import digest_of
from libs.owndata.verification import verify_export
from services.gateway.my.exporting import packed
from tongban.owndata.v1 import own_data_service_pb2 as pb

PROVIDER = default_provider()
START = datetime(2024, 1, 1, tzinfo=UTC)
SUBJECT = "persons/018f0000-0000-7000-8000-000000000001"


def _signer() -> Signer:
    return SoftwareSigner(PROVIDER, PROVIDER.sm2_generate())


class Region:
    """A root, and services whose logs it certified."""

    def __init__(self) -> None:
        self.root_key = _signer()
        name = DistinguishedName("341500 root", organization="Tongban")
        self.root = make_root(self.root_key, name, Validity.days(START, 3650))

    def certified(self, name: str, key: Signer, profile: Profile = Profile.LOG) -> Certificate:
        subject, validity = DistinguishedName(name, organization="Tongban"), Validity.days(START, 100)
        return issue_certificate(self.root, self.root_key, subject, key.public_key, profile, validity)

    def file(self, service: str, certified: str = "", **changes: Any) -> pb.DownloadOwnDataResponse:
        key = _signer()
        told = {
            "format": "tongban-own-data 1",
            "region": "341500",
            "service": service,
            "subject": SUBJECT,
            "time": "2024-01-11T00:00:00Z",
            "kinds": [{"type": "tongban.cn/Person", "method": "", "complete": True, "items": [{"name": SUBJECT}]}],
            "uses": {"complete": True, "items": []},
            **changes,
        }
        content = json.dumps(told, ensure_ascii=False, indent=1).encode()
        return pb.DownloadOwnDataResponse(
            content=content,
            digest=digest_of(content),
            signature=key.sign(content),
            certificate=self.certified(certified or f"341500/{service}", key).der,
            complete=True,
        )

    def report(self, data: bytes) -> Report:
        return verify_export(data, self.root, PROVIDER)


@pytest.fixture(scope="module")
def region() -> Region:
    return Region()


def _outcomes(report: Report) -> list[Outcome]:
    return [step.outcome for step in report.steps]


def _changed(data: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        files = {each: whole.read(each) for each in whole.namelist()}
    change(files)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as again:
        for name, content in files.items():
            again.writestr(name, content)
    return made.getvalue()


def test_what_the_services_signed_holds_and_who_was_away_is_said(region: Region) -> None:
    data = packed(
        {"identity": region.file("identity"), "license": region.file("license"), "seal": None}, SUBJECT, "341500"
    )
    report = region.report(data)
    assert report.valid
    assert [step.name for step in report.steps] == [
        "read the export",
        *(f"{what} of {service}" for service in ("identity", "license") for what in ("read", "digest", "signature")),
    ]
    assert report.steps[0].detail == f"of {SUBJECT} in 341500; did not answer: seal"


def test_what_did_not_fit_is_said(region: Region) -> None:
    file = region.file("license")
    file.complete = False
    assert region.report(packed({"license": file}, SUBJECT, "341500")).steps[0].detail.endswith("; not all of: license")


FORGERIES: list[tuple[int, Callable[[dict[str, bytes]], object]]] = [
    (
        2,
        lambda files: files.update({"identity.json": files["identity.json"].replace(b"persons/018f", b"persons/0190")}),
    ),
    (2, lambda files: files.update({"identity.json": b"{}"})),
    (3, lambda files: files.update({"identity.json": files["identity.json"] + b"\n"})),
    (
        4,
        lambda files: files.update(
            {"identity.sig": files["identity.sig"][:-1] + bytes([files["identity.sig"][-1] ^ 1])}
        ),
    ),
    (4, lambda files: files.update({"identity.pem": b"no certificate"})),
    (1, lambda files: files.pop("identity.sig")),
    (1, lambda files: files.update({"license.json": b"{}"})),
    (1, lambda files: files.pop("manifest.json")),
]


@pytest.mark.parametrize(("step", "change"), FORGERIES)
def test_each_forgery_fails_at_its_step(
    region: Region, step: int, change: Callable[[dict[str, bytes]], object]
) -> None:
    data = _changed(packed({"identity": region.file("identity")}, SUBJECT, "341500"), change)
    report = region.report(data)
    assert _outcomes(report)[step - 1] is Outcome.FAILED
    assert Outcome.FAILED not in _outcomes(report)[: step - 1]


def test_another_services_key_another_role_and_another_time_sign_nothing(region: Region) -> None:
    other = region.file("identity", certified="341500/license")
    late = region.file("identity", time="2025-01-11T00:00:00Z")
    for file in (other, late):
        assert _outcomes(region.report(packed({"identity": file}, SUBJECT, "341500")))[-1] is Outcome.FAILED
    key = _signer()
    seal = region.file("identity")
    seal.signature = key.sign(seal.content)
    seal.certificate = region.certified("341500/identity", key, Profile.SIGNER).der
    assert _outcomes(region.report(packed({"identity": seal}, SUBJECT, "341500")))[-1] is Outcome.FAILED
    assert not Region().report(packed({"identity": region.file("identity")}, SUBJECT, "341500")).valid


def test_the_part_of_somebody_else_does_not_belong_to_it(region: Region) -> None:
    file = region.file("identity", subject=SUBJECT.replace("0001", "0002"))
    assert _outcomes(region.report(packed({"identity": file}, SUBJECT, "341500")))[1] is Outcome.FAILED


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"{}"])
def test_garbage_is_told_as_such(region: Region, data: bytes) -> None:
    assert _outcomes(region.report(data)) == [Outcome.FAILED]


def test_the_command_says_it_and_ends_with_one_where_it_does_not_hold(region: Region, tmp_path: Path) -> None:
    (tmp_path / "root.der").write_bytes(region.root.der)
    good = packed({"identity": region.file("identity")}, SUBJECT, "341500")
    for data, code in ((good, 0), (_changed(good, FORGERIES[2][1]), 1)):
        (tmp_path / "export.zip").write_bytes(data)
        told = CliRunner().invoke(
            app, ["own-data", str(tmp_path / "export.zip"), "--root", str(tmp_path / "root.der"), "--json"]
        )
        assert told.exit_code == code, told.output


def test_openssl_verifies_a_part_as_the_read_me_says(region: Region, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(packed({"identity": region.file("identity")}, SUBJECT, "341500"))) as whole:
        whole.extractall(tmp_path)
        read_me = whole.read("README.txt").decode()
    commands = [line.strip() for line in read_me.splitlines() if line.strip().startswith("openssl ")]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, capture_output=True)
    (tmp_path / "identity.json").write_bytes(b"{}")
    assert subprocess.run(commands[1], shell=True, check=False, cwd=tmp_path, capture_output=True).returncode


def test_a_certificate_that_is_over_is_believed_of_what_was_made_before(region: Region) -> None:
    moment = (START + timedelta(days=99)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert region.report(packed({"identity": region.file("identity", time=moment)}, SUBJECT, "341500")).valid
