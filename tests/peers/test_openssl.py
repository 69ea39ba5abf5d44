"""openssl reads, verifies and compares what this region issues: certificates, revocation lists, signatures, digests.

Version 3.0 signs no time stamps with SM2 and gives the distinguishing identifier to the first certificate of a chain only:
chains are verified link by link, lists by their bytes, and time stamps are BouncyCastle's (`test_ofdrw.py`).
"""

import re
from pathlib import Path

import pytest

from deploy.local.demo.gateway import request_id
from tests.peers.conftest import DISTID, Town
from tests.peers.fetch import run
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import (
    certificate_service_pb2,
    certificate_service_pb2_grpc,
    resources_pb2,
    sealing_service_pb2,
    sealing_service_pb2_grpc,
)

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_PATH = "/Doc_0/Signs/Sign_1/Signature.xml"


def parts(der: Path, depth: int = 1) -> list[int]:
    """The offsets of a structure's parts, as openssl counts them."""
    listed = run("openssl", "asn1parse", "-inform", "DER", "-in", der)
    return [int(each) for each in re.findall(rf"^ *(\d+):d={depth} ", listed, re.MULTILINE)]


def part(der: Path, offset: int, target: Path) -> Path:
    """Has openssl cut a part out: a SEQUENCE whole, of a string what it holds."""
    run("openssl", "asn1parse", "-inform", "DER", "-in", der, "-strparse", str(offset), "-noout", "-out", target)
    return target


def holds(folder: Path, certificate: bytes, signed: Path, signature: Path) -> bool:
    """Has openssl check a signature, SM2 with SM3, by a certificate's key."""
    file, public = folder / "signer.der", folder / "signer.pem"
    file.write_bytes(certificate)
    public.write_text(run("openssl", "x509", "-inform", "DER", "-in", file, "-noout", "-pubkey"), encoding="ascii")
    key = ("-pubin", "-inkey", public, "-rawin", "-digest", "sm3", "-pkeyopt", DISTID)
    try:
        said = run("openssl", "pkeyutl", "-verify", *key, "-in", signed, "-sigfile", signature)
    except AssertionError:
        return False
    return "Signature Verified Successfully" in said


def pem_of(folder: Path, name: str, certificate: bytes) -> Path:
    """A certificate as a PEM file of openssl's writing."""
    der, pem = folder / f"{name}.der", folder / f"{name}.pem"
    der.write_bytes(certificate)
    run("openssl", "x509", "-inform", "DER", "-in", der, "-out", pem)
    return pem


async def crl_of(town: Town) -> bytes:
    """The region's list, as anybody gets it."""
    answer = await town.office.gateway.http.get("/v1/certificates:crl")
    assert answer.headers["content-type"] == "application/pkix-crl"
    return answer.content


async def test_a_chain_holds_link_by_link(town: Town, tmp_path: Path) -> None:
    issued = await town.certified(tmp_path, "maker", resources_pb2.CERTIFICATE_KIND_SEAL_MAKER)
    chain = [issued.certificate.der, *issued.certificate.chain]
    files = [pem_of(tmp_path, f"link{place}", each) for place, each in enumerate(chain)]
    assert len(files) == 3
    for below, above in zip(files, [*files[1:], files[-1]], strict=True):
        trust = ("-x509_strict", "-partial_chain", "-trusted", above)
        assert run("openssl", "verify", "-vfyopt", DISTID, *trust, below).strip() == f"{below}: OK"


async def test_a_certificate_of_another_authority_is_no_link(town: Town, tmp_path: Path) -> None:
    issued = await town.certified(tmp_path, "signer", resources_pb2.CERTIFICATE_KIND_SIGNER)
    leaf = pem_of(tmp_path, "leaf", issued.certificate.der)
    root = pem_of(tmp_path, "root", issued.certificate.chain[-1])
    with pytest.raises(AssertionError, match="unable to get local issuer certificate"):
        run("openssl", "verify", "-vfyopt", DISTID, "-partial_chain", "-trusted", root, leaf)


async def test_a_certificate_says_what_it_is_for(town: Town, tmp_path: Path) -> None:
    issued = await town.certified(tmp_path, "signer", resources_pb2.CERTIFICATE_KIND_SIGNER)
    text = run("openssl", "x509", "-inform", "DER", "-in", issued.file, "-noout", "-text")
    for words in ("SM2-with-SM3", "ASN1 OID: SM2", "CA:FALSE", "X509v3 Authority Key Identifier", "O = Somebody"):
        assert words in text


async def test_the_list_is_signed_by_the_authority_and_names_what_was_revoked(town: Town, tmp_path: Path) -> None:
    issued = await town.certified(tmp_path, "signer", resources_pb2.CERTIFICATE_KIND_SIGNER)
    serial = f"Serial Number: {int(issued.certificate.serial_number, 16):X}"
    crl = tmp_path / "list.crl"
    crl.write_bytes(await crl_of(town))
    assert serial not in run("openssl", "crl", "-inform", "DER", "-in", crl, "-noout", "-text")
    stub = certificate_service_pb2_grpc.CertificateServiceStub(town.office.gateway.channel)
    request = certificate_service_pb2.RevokeCertificateRequest(
        name=issued.certificate.name, request_id=request_id(), reason=resources_pb2.REVOCATION_REASON_KEY_COMPROMISE
    )
    token = await town.office.admin_token()
    await town.office.gateway.call(stub.RevokeCertificate, request, resources_pb2.Certificate, token)
    crl.write_bytes(await crl_of(town))
    text = run("openssl", "crl", "-inform", "DER", "-in", crl, "-noout", "-text")
    assert "Key Compromise" in text.split(serial, 1)[1].split("Serial Number", 1)[0]
    tbs, _, value = parts(crl)
    signed, signature = part(crl, tbs, tmp_path / "tbs"), part(crl, value, tmp_path / "value")
    authority, root = issued.certificate.chain
    assert holds(tmp_path, authority, signed, signature)
    assert not holds(tmp_path, root, signed, signature)


async def test_a_seals_signature_holds_over_the_digest_that_openssl_computes(town: Town, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"<ofd:Signature/>" * 1000)
    digest = run("openssl", "dgst", "-sm3", "-r", original).split()[0]
    stub = sealing_service_pb2_grpc.SealingServiceStub(town.office.gateway.channel)
    request = sealing_service_pb2.SealDigestsRequest(
        request_id=request_id(),
        seal=town.seal.name,
        digests=[sealing_service_pb2.DigestInput(data_digest=f"sm3:{digest}", property_info=_PATH)],
        use_context=common_pb2.UseContext(purpose_code="LICENSE_ISSUING", purpose="制发电子证照"),
    )
    token, answer = await town.office.token_of("deciding"), sealing_service_pb2.SealDigestsResponse
    made = await town.office.gateway.call(stub.SealDigests, request, answer, token)
    signed_value = tmp_path / "SignedValue.dat"
    signed_value.write_bytes(made.signatures[0].signed_value)
    signed, certificate, _, value = parts(signed_value)
    tbs, signature = part(signed_value, signed, tmp_path / "tbs"), part(signed_value, value, tmp_path / "value")
    signer = part(signed_value, certificate, tmp_path / "certificate").read_bytes()
    assert holds(tmp_path, signer, tbs, signature)
    assert bytes.fromhex(digest) in tbs.read_bytes()
    tbs.write_bytes(tbs.read_bytes().replace(_PATH.encode(), _PATH.replace("1", "2").encode()))
    assert not holds(tmp_path, signer, tbs, signature)
