"""Runs the identity service: ``python -m services.identity --config identity.toml``."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc

from libs.config import load
from libs.process import Process, config_argument, start
from libs.rpc.server import ServerBuilder
from libs.security.tokens import TokenVerifier
from libs.security.withdrawals import Withdrawals
from services.identity.bootstrap import Bootstrap
from services.identity.client_secrets import ClientSecrets
from services.identity.config import Config
from services.identity.oauth.discovery import TOKEN_PATH
from services.identity.oauth.endpoint import OAuthEndpoints
from services.identity.oauth.server import HttpServer
from services.identity.register import HttpRegister, NoRegister, Register
from services.identity.servicers.accounts import AccountServicer
from services.identity.servicers.clients import ClientServicer
from services.identity.servicers.consents import ConsentServicer
from services.identity.servicers.mandates import MandateServicer
from services.identity.servicers.regions import RegionServicer
from services.identity.servicers.staff import StaffServicer
from services.identity.servicers.tokens import TokenServicer
from services.identity.servicers.verifications import VerificationServicer
from services.identity.store.accounts import AccountStore
from services.identity.tokens.codec import TokenCodec
from services.identity.tokens.replay import UsedOnce
from services.identity.tokens.signing_keys import SigningKeys
from services.identity.usecases.acceptance import Acceptance
from services.identity.usecases.accounts import Accounts
from services.identity.usecases.client_authentication import ClientAuthentication
from services.identity.usecases.clients import Clients
from services.identity.usecases.consents import Consents
from services.identity.usecases.departments import Departments
from services.identity.usecases.exchange import Exchange
from services.identity.usecases.grants import Grants
from services.identity.usecases.identities import Identities
from services.identity.usecases.mandates import Mandates
from services.identity.usecases.posts import PostHolders
from services.identity.usecases.regions import TrustList
from services.identity.usecases.staff import StaffMembers
from services.identity.usecases.token_records import TokenRecords
from services.identity.usecases.verifications import Verifications
from services.identity.usecases.vouching import Vouching
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.identity.v1 import (
    account_service_pb2,
    client_service_pb2,
    consent_service_pb2,
    mandate_service_pb2,
    region_service_pb2,
    staff_service_pb2,
    token_service_pb2,
    verification_service_pb2,
)


@dataclass(frozen=True)
class TokenParts:
    """What makes, changes and checks tokens."""

    codec: TokenCodec
    grants: Grants
    exchange: Exchange
    authentication: ClientAuthentication


def _config(process: Process) -> Config:
    config = process.config
    assert isinstance(config, Config)
    return config


def signing_keys(process: Process) -> SigningKeys:
    """Opens the keys that sign tokens; what verifies them goes by the machine's clock as they do."""
    keys = SigningKeys(process.keys, process.wall, timedelta(days=_config(process).tokens.key_days))
    keys.open()
    return keys


def token_parts(process: Process, keys: SigningKeys, client_secrets: ClientSecrets) -> TokenParts:
    """Wires everything about tokens."""
    config, database = _config(process), process.database
    issuer, region = config.identity.issuer, config.region.code
    codec = TokenCodec(keys, process.wall, region=region, issuer=issuer, access_seconds=config.tokens.access_seconds)
    once, records = UsedOnce(process.redis, region), TokenRecords(process.audit)
    audiences = (issuer, f"{issuer}{TOKEN_PATH}", f"{config.public.base_url}{TOKEN_PATH}")
    authentication = ClientAuthentication(database, codec, client_secrets, once, audiences)
    vouching = Vouching(database, AccountStore(database), process.cipher, process.clock)
    acceptance = Acceptance(codec, database, process.clock, once, records, vouching)
    return TokenParts(
        codec,
        Grants(codec, database, process.clock, authentication, records),
        Exchange(codec, database, process.clock, acceptance, records, vouching),
        authentication,
    )


def _register(process: Process) -> Register:
    section = _config(process).population_register
    if section is None:
        return NoRegister()
    register = HttpRegister(section)
    process.closing(register.close)
    return register


def _add_people(process: Process, builder: ServerBuilder) -> None:
    uow, database, clock, cipher = process.uow, process.database, process.clock, process.cipher
    store, region = AccountStore(database), process.config.region.code
    tokens = TokenWithdrawals(database, process.wall, process.withdrawals)
    accounts = Accounts(uow, store, process.audit, cipher, clock, tokens)
    identities = Identities(store, accounts, Vouching(database, store, cipher, clock), clock, region)
    checks = Verifications(uow, database, clock, store, cipher, _register(process))
    members = StaffMembers(uow, database, process.audit, clock, cipher)
    staff = StaffServicer(Departments(uow, database), members, PostHolders(uow, cipher, tokens))
    mandates = MandateServicer(Mandates(uow, database, process.audit, clock, region, tokens))
    consents = ConsentServicer(Consents(uow, database, process.audit, clock, region))
    builder.add(
        account_service_pb2.DESCRIPTOR.services_by_name["AccountService"], AccountServicer(accounts, identities)
    )
    builder.add(
        verification_service_pb2.DESCRIPTOR.services_by_name["VerificationService"], VerificationServicer(checks)
    )
    builder.add(mandate_service_pb2.DESCRIPTOR.services_by_name["MandateService"], mandates)
    builder.add(staff_service_pb2.DESCRIPTOR.services_by_name["StaffService"], staff)
    builder.add(consent_service_pb2.DESCRIPTOR.services_by_name["ConsentService"], consents)


def _add_machines(process: Process, builder: ServerBuilder, parts: TokenParts, client_secrets: ClientSecrets) -> None:
    uow, database = process.uow, process.database
    withdrawn = TokenWithdrawals(database, process.wall, process.withdrawals)
    clients = ClientServicer(Clients(uow, database, process.wall, client_secrets, withdrawn))
    regions = RegionServicer(TrustList(uow, database, process.config.region.code, withdrawn))
    tokens = TokenServicer(parts.exchange, parts.grants, parts.codec.keys, withdrawn)
    builder.add(client_service_pb2.DESCRIPTOR.services_by_name["ClientService"], clients)
    builder.add(region_service_pb2.DESCRIPTOR.services_by_name["RegionService"], regions)
    builder.add(token_service_pb2.DESCRIPTOR.services_by_name["TokenService"], tokens)


async def _bootstrap(process: Process) -> None:
    config = _config(process)
    if config.bootstrap is None:
        return
    file = Path(config.bootstrap.credentials_file)
    await Bootstrap(process.uow, process.database, config.identity.issuer, config.public.base_url, file).ensure()


async def build(process: Process, verifier: TokenVerifier) -> grpc.aio.Server:
    """Wires the service and returns its server, not started; HTTP runs as a task of the process."""
    config = _config(process)
    keys, client_secrets = signing_keys(process), ClientSecrets(process.keys, process.provider)
    await keys.rotate_alone(process.database)
    await _bootstrap(process)
    parts = token_parts(process, keys, client_secrets)
    trusted = TrustList(
        process.uow, process.database, config.region.code, TokenWithdrawals(process.database, process.wall)
    ).require_inbound
    builder = process.server(verifier, trusted)
    _add_people(process, builder)
    _add_machines(process, builder, parts, client_secrets)

    async def keep_keys() -> None:
        await keys.keep(process.database)

    process.background(keep_keys)
    if config.http is not None:
        endpoints = OAuthEndpoints(
            parts.codec, parts.grants, parts.exchange, parts.authentication, config.public.base_url
        )
        process.beside(HttpServer(endpoints.app(), config.http).run)
    return await builder.build()


def local_verifier(process: Process) -> TokenVerifier:
    """Returns the verifier of this region's tokens by our own keys and withdrawals: no call to ourselves."""
    process.withdrawals = Withdrawals(TokenWithdrawals(process.database, process.wall).ask)
    return process.verifier(signing_keys(process))


async def main() -> None:
    """Starts and serves until told to stop."""
    process = Process("identity", load(config_argument(), Config))
    await process.run(await build(process, local_verifier(process)))


if __name__ == "__main__":
    start(main)
