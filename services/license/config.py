"""What the license service is configured with, beyond what every service is."""

from pydantic import Field

from libs.config import Section, ServiceConfig


class Issuing(Section):
    """How licences are made.

    Attributes:
        render_threads: threads that draw pages; drawing holds the interpreter, so more than two bring nothing.
        at_once: licences in the making at the same time.
        sweep_seconds: pause between two rounds of the sweeper.
        patience_seconds: the age of a draft before the sweeper takes it up; longer than an issue ever takes.
    """

    render_threads: int = Field(default=2, ge=1)
    at_once: int = Field(default=16, ge=1)
    sweep_seconds: float = 10.0
    patience_seconds: float = 60.0


class Config(ServiceConfig):
    """The license service's configuration."""

    issuing: Issuing = Issuing()
