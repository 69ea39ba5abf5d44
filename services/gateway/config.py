"""What the gateway is configured with."""

from pathlib import Path

from libs.config import HttpConfig, IdentityConfig, PublicConfig, RegionConfig, Section, TelemetryConfig, TlsConfig


class PagesConfig(Section):
    """Where the portal's pages and the reflection service listen; both take mTLS only, from Envoy."""

    host: str = "127.0.0.1"
    port: int
    reflection_port: int


class EnvoyFiles(Section):
    """Where Envoy's configuration is written, and where its administration listens (loopback)."""

    admin_host: str = "127.0.0.1"
    admin_port: int
    file: Path

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


class Cors(Section):
    """The origins whose pages may call the gateway from a browser; none by default."""

    origins: list[str] = []


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
    telemetry: TelemetryConfig = TelemetryConfig()
