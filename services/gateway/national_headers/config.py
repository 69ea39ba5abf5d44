"""What the adapter is configured with: who may ask, as which client, for what."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from libs.config import HttpConfig, RegionConfig, Section, TelemetryConfig

_WORD = r"^[!-~]{1,128}$"


class Requester(Section):
    """A requester of a national platform (rid), and the client of this region as which it is let in.

    ``secret_file`` holds the secret that it signs with, ``credentials_file`` the client's key (``credentials.json``). It may ask for ``services``
    alone, by their sid. ``signs`` has its calls signed here as the region's own clients sign theirs (RFC 9421).
    """

    rid: str = Field(pattern=_WORD)
    secret_file: Path
    credentials_file: Path
    services: tuple[str, ...] = Field(min_length=1)
    signs: bool = False


class NationalService(Section):
    """An interface of a national platform (sid), and the one RPC that it is here: ``tongban.sharing.v1.DataService.QueryData``."""

    sid: str = Field(pattern=_WORD)
    rpc: str = Field(pattern=r"^tongban(\.[A-Za-z0-9]+)+$")


class ServerTls(Section):
    """The certificate that the adapter shows to who calls it; PEM."""

    cert: Path
    key: Path


class NationalConfig(Section):
    """The configuration of the adapter; there is none by default, and so no adapter.

    Attributes:
        gateway_url: the region's gateway, as the region publishes it.
        authorities_file: certificates (PEM) to trust for it; none for the system's.
        redis_url_file: what was used once is kept there.
        window_seconds: how far a requester's clock may be away.
        one_body_a_moment: whether the same rid, sid and rtime come once whatever the body. Without it they may come with other bodies, from
            who holds the headers too.
        most_bytes: of a body.
    """

    region: RegionConfig
    http: HttpConfig
    tls: ServerTls | None = None
    gateway_url: str = Field(pattern=r"^https?://[^/]+$")
    authorities_file: Path | None = None
    redis_url_file: Path
    window_seconds: float = Field(default=300, gt=0, le=600)
    one_body_a_moment: bool = True
    most_bytes: int = Field(default=1024 * 1024, gt=0, le=3 * 1024 * 1024)
    requesters: tuple[Requester, ...] = Field(min_length=1)
    services: tuple[NationalService, ...] = Field(min_length=1)
    telemetry: TelemetryConfig = TelemetryConfig()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, names in (
            ("rid", [each.rid for each in self.requesters]),
            ("sid", [each.sid for each in self.services]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"each {what} stands once")
        unknown = {name for each in self.requesters for name in each.services} - {each.sid for each in self.services}
        if unknown:
            raise ValueError(f"requesters name services that are not there: {', '.join(sorted(unknown))}")
        return self
