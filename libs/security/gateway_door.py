"""A port of HTTP that the gateway's Envoy alone may open: what it says there of a caller nobody else may say (decision 0082)."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.config import TlsConfig


@dataclass(frozen=True, slots=True)
class GatewayDoor:
    """How the gateway is known where it comes by mTLS: by our authority, and the DNS name in its certificate."""

    tls: TlsConfig
    name: str

    @classmethod
    def of(cls, tls: TlsConfig, region: str) -> "GatewayDoor":
        """Returns the door of a region's gateway."""
        return cls(tls, f"gateway.{region}.{tls.domain}")

    def settings(self) -> dict[str, Any]:
        """What uvicorn is told of it."""
        return {
            "ssl_certfile": str(self.tls.cert),
            "ssl_keyfile": str(self.tls.key),
            "ssl_ca_certs": str(self.tls.ca),
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "http": self._protocol(),
        }

    def _protocol(self) -> type[HttpToolsProtocol]:
        name = self.name

        class OfGateway(HttpToolsProtocol):
            """Serves the gateway, and ends any other connection: also of services of the region, which have certificates as well."""

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                if name not in _names(transport):
                    transport.abort()

        return OfGateway


def _names(transport: asyncio.Transport) -> frozenset[str]:
    certificate = transport.get_extra_info("peercert") or {}
    return frozenset(value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")
