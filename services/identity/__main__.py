"""Runs the identity service: ``python -m services.identity --config identity.toml``."""

import grpc

from libs.config import Http, ServiceConfig, load
from libs.process import Process, config_argument, start
from libs.security.tokens import TokenVerifier
from services.identity.servicers.accounts import AccountServicer
from services.identity.store.accounts import AccountStore
from services.identity.usecases.accounts import Accounts
from tongban.identity.v1 import account_service_pb2


class Config(ServiceConfig):
    """The identity service's configuration."""

    http: Http | None = None


async def build(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """Wires the service and returns its server, not started."""
    accounts = Accounts(process.uow, AccountStore(process.database), process.audit, process.cipher)
    builder = process.server(verifier)
    builder.add(account_service_pb2.DESCRIPTOR.services_by_name["AccountService"], AccountServicer(accounts))
    return await builder.build()


async def main() -> None:
    """Starts and serves until told to stop."""
    process = Process("identity", load(config_argument(), Config))
    await process.run(await build(process, process.verifier()))


if __name__ == "__main__":
    start(main)
