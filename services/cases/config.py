"""What case handling is configured with: nothing beyond what every service is."""

from libs.config import ServiceConfig


class Config(ServiceConfig):
    """The cases service's configuration."""
