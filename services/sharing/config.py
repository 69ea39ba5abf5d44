"""The sharing service's configuration."""

from pathlib import Path

from libs.config import Section, ServiceConfig


class DataSource(Section):
    """A PostgreSQL database whose tables may be mounted; ``[data_sources.<name>]``.

    ``dsn_file`` holds the DSN of a role that may only read. ``pool_size`` bounds the connections of this process,
    ``statement_timeout_ms`` the length of one read.
    """

    dsn_file: Path
    pool_size: int = 4
    statement_timeout_ms: int = 2000


class Config(ServiceConfig):
    """What the sharing service is configured with."""

    data_sources: dict[str, DataSource] = {}
