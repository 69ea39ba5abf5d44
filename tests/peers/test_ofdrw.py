"""ofdrw opens, verifies and renders what this region sealed; what ofdrw made and sealed is validated here."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from asn1crypto import pem
from PIL import Image, ImageDraw

from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import TimeStampNotAccepted, TrustPolicy, verify_time_stamp
from libs.crypto.x509.certificate import Certificate
from tests.peers.conftest import DISTID, SEAL_X_MM, SEAL_Y_MM, Certified, Town
from tests.peers.fetch import HERE, run
from tongban.seal.v1 import resources_pb2, validation_service_pb2
from tongban.seal.v1.validation_service_pb2 import ValidationReport

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_PER_MM = 8
_MODES = ("ContinueSign", "WholeProtected")
_NOT_KEPT_HERE = {"seal.status": "TRY_LATER"}
"""What is left open of a seal that the region's authority certified but the region does not keep (docs/validation.md)."""


@dataclass(frozen=True)
class Ofdrw:
    """ofdrw, run as a program."""

    jars: Path

    def __call__(self, *arguments: str | Path) -> str:
        """Does one thing; raises AssertionError where it ends with an exception."""
        return run("java", "-cp", f"{self.jars}/*", HERE / "java" / "Peer.java", *arguments)


@dataclass(frozen=True)
class Theirs:
    """A document that ofdrw drew, and a seal that it made for two keys of openssl."""

    plain: Path
    maker: Certified
    signer: Certified
    seal: Path


@dataclass(frozen=True)
class Stamper:
    """A time-stamp authority below a root of openssl's making."""

    root: Certificate
    key: Path
    file: Path


@pytest.fixture(scope="module")
def stamper(tmp_path_factory: pytest.TempPathFactory) -> Stamper:
    folder = tmp_path_factory.mktemp("stamper")
    for name in ("root", "stamper"):
        run(
            "openssl",
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:SM2",
            "-out",
            folder / f"{name}.pem",
        )
    signing, root = ("-sm3", "-sigopt", DISTID), folder / "root.crt"
    usage = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    subject = ("-subj", "/CN=Stamps", "-days", "30")
    run("openssl", "req", "-x509", "-new", "-key", folder / "root.pem", *signing, *subject, *usage, "-out", root)
    (folder / "usage").write_text("keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n")
    request, key, file = folder / "request", folder / "stamper.pk8", folder / "stamper.der"
    run("openssl", "req", "-new", "-key", folder / "stamper.pem", *signing, "-subj", "/CN=Stamper", "-out", request)
    issuer = ("-CA", root, "-CAkey", folder / "root.pem", *signing, "-vfyopt", DISTID, "-extfile", folder / "usage")
    run("openssl", "x509", "-req", "-in", request, *issuer, "-days", "20", "-outform", "DER", "-out", file)
    run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", folder / "stamper.pem", "-outform", "DER", "-out", key)
    return Stamper(Certificate.parse(pem.unarmor(root.read_bytes())[2]), key, file)


@pytest.fixture(scope="session")
def ofdrw(jars: Path) -> Ofdrw:
    return Ofdrw(jars)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def theirs(ofdrw: Ofdrw, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    folder = tmp_path_factory.mktemp("theirs")
    maker = await town.certified(folder, "maker", resources_pb2.CERTIFICATE_KIND_SEAL_MAKER)
    signer = await town.certified(folder, "signer", resources_pb2.CERTIFICATE_KIND_SIGNER)
    plain, picture, seal = folder / "plain.ofd", folder / "picture.png", folder / "seal.esl"
    image = Image.new("RGBA", (320, 320))
    ImageDraw.Draw(image).ellipse((10, 10, 310, 310), outline=(220, 0, 0, 255), width=12)
    image.save(picture)
    ofdrw("draw", plain)
    ofdrw("make-seal", maker.key, maker.file, signer.file, picture, seal)
    return Theirs(plain, maker, signer, seal)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ours(theirs: Theirs, town: Town, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document that ofdrw drew, sealed by the region."""
    file = tmp_path_factory.mktemp("ours") / "sealed.ofd"
    file.write_bytes(await town.sealed(theirs.plain.read_bytes()))
    return file


def content(file: Path) -> bytes:
    """What a file holds."""
    return file.read_bytes()


def open_steps(report: ValidationReport) -> dict[str, str]:
    """The steps that apply and did not pass, with what they say."""
    passed = (validation_service_pb2.STEP_OUTCOME_PASSED, validation_service_pb2.STEP_OUTCOME_NOT_APPLICABLE)
    words = validation_service_pb2.SubIndication
    return {
        each.name: words.Name(each.sub_indication).removeprefix("SUB_INDICATION_")
        for each in report.steps
        if each.outcome not in passed
    }


def changed(source: Path, target: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """A copy of a package in which one file was changed."""
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as written:
        for each in read.infolist():
            content = read.read(each)
            written.writestr(each, change(content) if each.filename == name else content)
    return target


async def test_ofdrw_verifies_our_seal_and_so_do_we(ofdrw: Ofdrw, ours: Path, town: Town) -> None:
    assert ofdrw("verify", ours).strip() == "valid"
    report = await town.validated(content(ours))
    assert report.conclusion == validation_service_pb2.CONCLUSION_TOTAL_PASSED, open_steps(report)


async def test_neither_takes_a_page_that_was_changed(ofdrw: Ofdrw, ours: Path, town: Town, tmp_path: Path) -> None:
    page = "Doc_0/Pages/Page_0/Content.xml"
    forged = changed(ours, tmp_path / "forged.ofd", page, lambda old: old.replace(b"certificate", b"certificatf"))
    with pytest.raises(AssertionError, match=f"FileIntegrityException: /{page}"):
        ofdrw("verify", forged)
    report = await town.validated(forged.read_bytes())
    assert report.conclusion == validation_service_pb2.CONCLUSION_TOTAL_FAILED
    assert open_steps(report)["signature.references"] == "HASH_FAILURE"


async def test_ofdrw_renders_our_seal_red_where_it_was_put(ofdrw: Ofdrw, ours: Path, tmp_path: Path) -> None:
    (drawn,) = ofdrw("render", ours, tmp_path).split()
    with Image.open(drawn) as opened:
        page = opened.convert("RGB")
    assert page.size == pytest.approx((210 * _PER_MM, 297 * _PER_MM), abs=_PER_MM)
    width, raw = page.width, page.tobytes()
    red = [
        (place // 3 % width, place // 3 // width)
        for place in range(0, len(raw), 3)
        if raw[place] > 150 and raw[place + 1] < 100 and raw[place + 2] < 100
    ]
    across, down = [x for x, _ in red], [y for _, y in red]
    middle = ((min(across) + max(across)) / 2 / _PER_MM, (min(down) + max(down)) / 2 / _PER_MM)
    assert middle == pytest.approx((SEAL_X_MM, SEAL_Y_MM), abs=1.5)
    # A county's seal is 42 mm wide (国发〔1999〕25号).
    assert (max(across) - min(across)) / _PER_MM == pytest.approx(42, abs=1.5)


async def test_a_seal_of_ofdrws_making_holds_here(theirs: Theirs, town: Town) -> None:
    report = await town.validated_seal(theirs.seal.read_bytes())
    assert report.seals[0].display_name == "某某测试专用章"
    assert open_steps(report) == _NOT_KEPT_HERE
    assert report.conclusion == validation_service_pb2.CONCLUSION_INDETERMINATE


async def test_a_seal_of_ofdrws_making_whose_picture_was_changed_does_not(theirs: Theirs, town: Town) -> None:
    raw = theirs.seal.read_bytes()
    place = raw.index(b"IDAT") + 20
    report = await town.validated_seal(raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :])
    assert open_steps(report)["seal.maker_signature"] == "SIG_CRYPTO_FAILURE"


@pytest.mark.parametrize("mode", _MODES)
async def test_a_document_that_ofdrw_sealed_holds_here(
    ofdrw: Ofdrw, theirs: Theirs, town: Town, tmp_path: Path, mode: str
) -> None:
    sealed = tmp_path / "sealed.ofd"
    ofdrw("seal", mode, theirs.plain, sealed, theirs.signer.key, theirs.signer.file, theirs.seal)
    report = await town.validated(sealed.read_bytes())
    assert open_steps(report) == _NOT_KEPT_HERE
    assert report.conclusion == validation_service_pb2.CONCLUSION_INDETERMINATE
    assert "Somebody" in report.seals[0].signer


async def test_a_document_that_ofdrw_sealed_and_somebody_changed_does_not(
    ofdrw: Ofdrw, theirs: Theirs, town: Town, tmp_path: Path
) -> None:
    sealed = tmp_path / "sealed.ofd"
    ofdrw("seal", _MODES[0], theirs.plain, sealed, theirs.signer.key, theirs.signer.file, theirs.seal)
    forged = changed(sealed, tmp_path / "forged.ofd", "OFD.xml", lambda old: old.replace(b"OFD R&amp;W", b"Nobody"))
    report = await town.validated(forged.read_bytes())
    assert open_steps(report) == {"signature.references": "HASH_FAILURE", **_NOT_KEPT_HERE}


async def test_a_seal_of_ofdrw_beside_ours_leaves_both_whole(
    ofdrw: Ofdrw, ours: Path, theirs: Theirs, town: Town, tmp_path: Path
) -> None:
    both = tmp_path / "both.ofd"
    ofdrw("seal", _MODES[0], ours, both, theirs.signer.key, theirs.signer.file, theirs.seal)
    assert ofdrw("verify", both).strip() == "valid"
    report = await town.validated(both.read_bytes())
    conclusions = [each.conclusion for each in report.seals]
    assert conclusions == [
        validation_service_pb2.CONCLUSION_TOTAL_PASSED,
        validation_service_pb2.CONCLUSION_INDETERMINATE,
    ], open_steps(report)


async def test_a_time_stamp_of_bouncycastle_proves_its_time(ofdrw: Ofdrw, stamper: Stamper, tmp_path: Path) -> None:
    (tmp_path / "value").write_bytes(b"a signature's value")
    ofdrw("stamp", stamper.key, stamper.file, tmp_path / "value", tmp_path / "token")
    token, now, policy = content(tmp_path / "token"), datetime.now(UTC), TrustPolicy((stamper.root,), require_crl=False)
    assert now - verify_time_stamp(token, b"a signature's value", now, policy, default_provider()) < timedelta(hours=1)
    with pytest.raises(TimeStampNotAccepted):
        verify_time_stamp(token, b"another value", now, policy, default_provider())
