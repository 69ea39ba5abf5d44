"""Runs the sharing service: ``python -m services.sharing --config sharing.toml``."""

from libs.process import serve
from services.sharing.app import app
from services.sharing.config import Config

if __name__ == "__main__":
    serve("sharing", Config, app)
