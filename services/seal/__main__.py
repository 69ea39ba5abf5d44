"""Runs the seal service: ``python -m services.seal --config seal.toml``."""

from libs.process import serve
from services.seal.app import app
from services.seal.config import Config

if __name__ == "__main__":
    serve("seal", Config, app)
