"""What the gateway is configured with."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from libs.config import HttpConfig, IdentityConfig, PublicConfig, RegionConfig, Section, TelemetryConfig, TlsConfig


class PagesConfig(Section):
    """Where the portal's pages and the reflection service listen; both take mTLS only, and the pages nobody but Envoy."""

    host: str = "127.0.0.1"
    port: int
    reflection_port: int


class EnvoyFiles(Section):
    """Where Envoy's configuration is written, and where its administration listens (loopback)."""

    admin_host: str = "127.0.0.1"
    admin_port: int
    file: Path

    @property
    def listeners(self) -> Path:
        """Where it reads what the edge takes, and follows it while it runs."""
        return self.file.with_name(f"{self.file.stem}-listeners.json")

    @property
    def circuits(self) -> Path:
        """Where it reads which services get no calls now."""
        return self.file.with_name(f"{self.file.stem}-circuits.json")


class Limits(Section):
    """What one gateway takes: bytes of a request and of an answer, seconds until a JSON body or a file is whole.

    Requests a second, with bursts, are those of one connection: nobody uses up another's.
    Bytes are counted in JSON, where a file of 3 MiB takes 4: a service's own limit is smaller.
    """

    requests_per_second: int = 4000
    burst: int = 8000
    request_bytes: int = 6 * 1024 * 1024
    response_bytes: int = 16 * 1024 * 1024
    body_seconds: int = 30
    upload_seconds: int = 300


def _origin(text: str) -> str:
    """Takes what a browser sends as Origin (RFC 6454, 6.2): scheme, host, and a port that is not the usual one."""
    parts = urlsplit(text)
    whole = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in ("http", "https") or not parts.hostname or text != whole or text != text.lower():
        raise ValueError(f"{text!r} is no origin such as https://desk.example.gov.cn")
    if "*" in text or "@" in text or parts.port == {"http": 80, "https": 443}[parts.scheme]:
        raise ValueError(f"{text!r} is one that no browser sends")
    return text


class Cors(Section):
    """The origins whose pages may call the gateway from a browser, each by its name; none by default, and never all.

    Who calls says so by a token: cookies and other credentials of a browser's own are never taken from another origin.
    """

    origins: list[Annotated[str, AfterValidator(_origin)]] = []


class MtlsSection(Section):
    """The listener for partners who come with a certificate (RFC 8705), by TLS 1.3; without this section there is none.

    Attributes:
        host, port: where it listens.
        cert, key: its own certificate, with those above it, and the private key, PEM.
        ca: the authorities of partners' certificates, PEM; the handshake refuses what none of them has signed.
        crl: what they have revoked, PEM, of each of them a list; None where nothing is looked up.
        identity: where identity takes what came with a certificate; of several replicas separated by commas.
    """

    host: str = "127.0.0.1"
    port: int
    cert: Path
    key: Path
    ca: Path
    crl: Path | None = None
    identity: str


class MySection(Section):
    """The pages at which people see what is held on them (/my); without this section there are none.

    Attributes:
        credentials_file: the key by which they have people sign in; identity writes it at its first start.
    """

    credentials_file: Path


class GatewayConfig(Section):
    """The configuration of the edge of one region."""

    region: RegionConfig
    http: HttpConfig
    tls: TlsConfig
    identity: IdentityConfig
    pages: PagesConfig
    envoy: EnvoyFiles
    public: PublicConfig
    neighbours: dict[str, str]
    limits: Limits = Limits()
    cors: Cors = Cors()
    my: MySection | None = None
    mtls: MtlsSection | None = None
    telemetry: TelemetryConfig = TelemetryConfig()
