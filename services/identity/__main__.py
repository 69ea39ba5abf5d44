"""Runs the identity service: ``python -m services.identity --config identity.toml``."""

from libs.process import serve
from services.identity.app import app, own_verifier
from services.identity.config import Config

if __name__ == "__main__":
    serve("identity", Config, app, own_verifier)
