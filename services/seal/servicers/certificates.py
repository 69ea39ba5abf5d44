"""CertificateService: converts and calls, nothing else."""

from typing import Any

import grpc
from google.api import httpbody_pb2

from libs.db.command import command_of
from services.seal.usecases.certificates import Certificates
from tongban.seal.v1 import certificate_service_pb2 as pb
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1.certificate_service_pb2_grpc import CertificateServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class CertificateServicer(CertificateServiceServicer):
    """Serves ``tongban.seal.v1.CertificateService``."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def IssueCertificate(self, request: pb.IssueCertificateRequest, context: Context) -> resources.Certificate:
        """Issues a certificate."""
        return await self._certificates.issue(command_of(request), request)

    async def RevokeCertificate(self, request: pb.RevokeCertificateRequest, context: Context) -> resources.Certificate:
        """Revokes a certificate."""
        return await self._certificates.revoke(command_of(request), request)

    async def GetCertificate(self, request: pb.GetCertificateRequest, context: Context) -> resources.Certificate:
        """Gets a certificate with its chain."""
        return await self._certificates.get(request.name)

    async def GetCrl(self, request: pb.GetCrlRequest, context: Context) -> httpbody_pb2.HttpBody:
        """Gets the newest revocation list as a file."""
        return httpbody_pb2.HttpBody(content_type="application/pkix-crl", data=await self._certificates.crl())
