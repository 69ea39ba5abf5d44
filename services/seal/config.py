"""What the seal service is configured with, beyond what every service is."""

from pathlib import Path

from pydantic import Field

from libs.config import Section, ServiceConfig


class Sealing(Section):
    """How seals are used.

    Attributes:
        workers: threads that sign; 0 means one a core. As many validate.
        opened_seals: how many seals and keys are kept open in memory.
        time_stamp_roots: certificates (DER or PEM) of the roots whose time-stamp authorities are believed.
        patience_seconds: after so long a use that has no result counts as abandoned; longer than any call takes.
    """

    workers: int = Field(default=0, ge=0)
    opened_seals: int = 1000
    patience_seconds: float = 60.0
    time_stamp_roots: tuple[Path, ...] = ()


class Config(ServiceConfig):
    """The seal service's configuration."""

    sealing: Sealing = Sealing()
