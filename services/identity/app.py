"""What the identity service is made of."""

from datetime import timedelta
from pathlib import Path

from libs.events.change_api import Followed, everybody
from libs.process import Process
from libs.process.app import App
from libs.security.tokens import TokenVerifier
from libs.security.withdrawals import Withdrawals
from services.identity.access.api import AccessApi
from services.identity.access.contracts import declared_access
from services.identity.accounts.api import OrganizationApi, PersonApi
from services.identity.api_clients.api import ClientApi
from services.identity.api_clients.bootstrap import FirstAdministrator
from services.identity.assignments.api import AssignmentApi
from services.identity.closings.api import ClosingApi
from services.identity.config import Config
from services.identity.consents.api import ConsentApi
from services.identity.contacts.api import ContactApi
from services.identity.contacts.notifier import notifiers_of
from services.identity.contacts.worker import CodeSender
from services.identity.core.parts import parts_of
from services.identity.core.signing_keys import TokenKeys
from services.identity.core.withdrawals import TokenWithdrawals
from services.identity.departments.api import DepartmentApi, PostApi
from services.identity.documents.api import DocumentApi
from services.identity.identities.api import IdentityApi
from services.identity.keys.worker import KeyKeeper
from services.identity.mandates.api import MandateApi
from services.identity.oauth.endpoint import OAuthEndpoints
from services.identity.oauth.server import HttpServer
from services.identity.regions.api import RegionApi
from services.identity.staff.api import StaffApi
from services.identity.tokens.api import TokenApi
from services.identity.tokens.service import TokenExchange
from services.identity.verifications.api import RealNameApi
from services.identity.verifications.register import register_of
from services.identity.verifications.service import NameSource


async def app(process: Process) -> App:
    """Makes the features on the parts of the process, and lists what they serve and do by themselves.

    The token endpoint is a server beside that of gRPC, and is put to the process here.
    """
    config, keys = _config(process), signing_keys(process)
    keeper = KeyKeeper(keys, process.database)
    await keeper.rotate_alone()
    await _make_administrator(process, config)
    parts, register = parts_of(process, config, keys), register_of(config.population_register)
    source, sender = NameSource(register), CodeSender(parts, config.region.name, notifiers_of(config.notify))
    exchange, regions = TokenExchange(parts), RegionApi(parts)
    if config.http is not None:
        process.beside(HttpServer(OAuthEndpoints(parts, exchange, process.tracing).app(), config.http).run)
    return App(
        apis={
            "AccessService": [AccessApi(parts, declared_access())],
            "AccountService": [
                PersonApi(parts),
                OrganizationApi(parts),
                DocumentApi(parts, source),
                ContactApi(parts, sender),
                ClosingApi(parts),
                IdentityApi(parts),
            ],
            "VerificationService": [RealNameApi(parts, source)],
            "MandateService": [MandateApi(parts)],
            "StaffService": [DepartmentApi(parts), PostApi(parts), StaffApi(parts), AssignmentApi(parts)],
            "ConsentService": [ConsentApi(parts)],
            "ClientService": [ClientApi(parts)],
            "RegionService": [regions],
            "TokenService": [TokenApi(parts, exchange)],
        },
        # Officials read every consent, on record; people are told of theirs by nobody here.
        followed={"consents": Followed("identity.consents.get", everybody)},
        workers=[keeper.run, sender.run],
        closers=[register.close, sender.close],
        trusted=regions.require_inbound,
    )


def own_verifier(process: Process) -> TokenVerifier:
    """Returns the verifier of this region's tokens by our own keys and withdrawals: no call to ourselves."""
    process.withdrawals = Withdrawals(TokenWithdrawals(process.database, process.wall).ask)
    return process.verifier(signing_keys(process))


def signing_keys(process: Process) -> TokenKeys:
    """Opens the keys that sign tokens; what verifies them goes by the machine's clock as they do."""
    keys = TokenKeys(process.keys, process.wall, timedelta(days=_config(process).tokens.key_days))
    keys.open()
    return keys


async def _make_administrator(process: Process, config: Config) -> None:
    if config.bootstrap is not None:
        file, gateway = Path(config.bootstrap.credentials_file), config.public.base_url
        await FirstAdministrator(process.uow, process.database, config.identity.issuer, gateway, file).ensure()


def _config(process: Process) -> Config:
    config = process.config
    assert isinstance(config, Config)
    return config
