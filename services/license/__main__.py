"""Runs the license service: ``python -m services.license --config license.toml``."""

from libs.process import serve
from services.license.app import app
from services.license.config import Config

if __name__ == "__main__":
    serve("license", Config, app)
