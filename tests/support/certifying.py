"""Requests for certificates (PKCS #10), as somebody with a key of their own makes them."""

import uuid
from typing import Any

from asn1crypto import csr, keys, x509

from libs.crypto.provider import SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import DistinguishedName
from libs.crypto.x509.signed import join
from tongban.seal.v1 import certificate_service_pb2 as pb
from tongban.seal.v1 import resources_pb2 as resources


def new_key() -> SoftwareSigner:
    """A fresh SM2 key."""
    provider = default_provider()
    return SoftwareSigner(provider, provider.sm2_generate())


def pkcs10(own: SoftwareSigner, subject: x509.Name | None = None, signed_by: SoftwareSigner | None = None) -> bytes:
    """A request for the key ``own``, which signs it unless another one does."""
    info = csr.CertificationRequestInfo(
        {
            "version": "v1",
            "subject": subject or DistinguishedName("测试日志", organization="测试机关").to_name(),
            "subject_pk_info": keys.PublicKeyInfo.load(own.public_key.spki),
            "attributes": [],
        }
    )
    return join(info, signed_by or own)


def certificate_request(request: bytes = b"", **changes: Any) -> pb.IssueCertificateRequest:
    """Asks for a log's certificate: with this PKCS #10 request, or one of a fresh key."""
    fields: dict[str, Any] = {
        "request_id": str(uuid.uuid4()),
        "kind": resources.CERTIFICATE_KIND_LOG,
        "request": request or pkcs10(new_key()),
        **changes,
    }
    return pb.IssueCertificateRequest(**fields)
