"""Runs the cases service: ``python -m services.cases --config cases.toml``."""

from libs.process import serve
from services.cases.app import app
from services.cases.config import Config

if __name__ == "__main__":
    serve("cases", Config, app)
