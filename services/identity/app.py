"""What the identity service is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc

from libs.crypto.envelope import FieldCipher
from libs.errors import reasons
from libs.events.change_api import Followed, everybody
from libs.process import Process
from libs.process.app import App
from libs.rpc.client import neighbour_channel
from libs.rpc.regions import Regions
from libs.security.gateway_door import GatewayDoor
from libs.security.tokens import TokenVerifier
from libs.security.withdrawals import Withdrawals
from services.identity.access.api import AccessApi
from services.identity.access.contracts import declared_access
from services.identity.accounts.api import OrganizationApi, PersonApi
from services.identity.api_clients.api import ClientApi, ClientRequestApi, ClientUpdateApi
from services.identity.api_clients.bootstrap import ClientFounding, pages_client
from services.identity.api_clients.worker import ClientEnds
from services.identity.assignments.api import AssignmentApi
from services.identity.certifications.api import CertificationApi
from services.identity.closings.api import ClosingApi
from services.identity.codes.api import CodeApi, ScanApi
from services.identity.codes.scanning import Scanning
from services.identity.codes.service import CodeMint
from services.identity.codes.worker import ForgottenScans
from services.identity.config import Config
from services.identity.consents.api import ConsentApi
from services.identity.contacts.api import ContactApi
from services.identity.contacts.notifier import notifiers_of
from services.identity.contacts.worker import CodeSender
from services.identity.core.answering import Answering
from services.identity.core.assurance import VerificationMethod
from services.identity.core.client_authentication import ClientAuthentication
from services.identity.core.client_rules import ClientEnvironment
from services.identity.core.held import HELD
from services.identity.core.parts import Parts, parts_of
from services.identity.core.pseudonyms import Pseudonyms, pseudonymizer_of
from services.identity.core.signing_keys import CODES, TOKENS, TokenKeys
from services.identity.core.withdrawals import TokenWithdrawals
from services.identity.credentials.api import CredentialApi
from services.identity.departments.api import DepartmentApi, DepartmentTreeApi, PostApi
from services.identity.documents.api import DocumentApi
from services.identity.guests.worker import GuestWatch
from services.identity.identities.api import IdentityApi
from services.identity.keys.api import KeyApi
from services.identity.keys.worker import KeyKeeper
from services.identity.logouts.delivery import LogoutDelivery
from services.identity.logouts.worker import LogoutTeller
from services.identity.mandates.api import GuardianApi, MandateApi
from services.identity.merges.api import MergeApi
from services.identity.oauth.endpoint import OAuthEndpoints, audiences_of
from services.identity.oauth.server import HttpServer
from services.identity.openid.about_tokens import AboutTokens
from services.identity.openid.authorize import Authorizations
from services.identity.openid.code_grants import CodeGrants
from services.identity.openid.device_grants import DeviceGrants
from services.identity.openid.devices import Devices
from services.identity.openid.endpoints import OpenIdEndpoints
from services.identity.openid.enrollment_pages import EnrollmentPages
from services.identity.openid.key_ways import by_certificate, by_passkey
from services.identity.openid.logout import Logout
from services.identity.openid.pages import BrowserPages
from services.identity.openid.refresh_tokens import RefreshTokens
from services.identity.openid.sign_in_pages import SignInPages
from services.identity.openid.upstream_pages import UpstreamPages
from services.identity.regions.api import RegionApi
from services.identity.roles.api import RoleApi
from services.identity.sign_in_grants.api import SignInGrantApi
from services.identity.signatures.endpoint import SignatureEndpoint
from services.identity.signin.api import SignInApi
from services.identity.signin.passwords import BreachedPasswords, Passwords
from services.identity.signin.service import CertificateJudge, Enrollments, KeySignIns, PasskeyJudge, SignIns
from services.identity.signin.worker import Forgetter
from services.identity.staff.api import StaffApi
from services.identity.substitutions.api import SubstitutionApi
from services.identity.tokens.api import TokenApi
from services.identity.tokens.service import TokenExchange
from services.identity.upstream.api import AccountLinkApi, UpstreamApi
from services.identity.upstream.service import Providers, Visits
from services.identity.verifications.api import RealNameApi
from services.identity.verifications.register import register_of
from services.identity.verifications.service import NameSource
from services.identity.verifiers.api import VerifierApi
from services.identity.verifiers.remote import Verifier, verifiers_of
from services.identity.webhooks.api import WebhookApi, WebhookDeliveryApi
from services.identity.webhooks.counting import CountedDeliveries
from services.identity.webhooks.following import NeighbourLogs
from services.identity.webhooks.sending import WebhookSender
from services.identity.webhooks.worker import ForgottenDeliveries, WebhookWorker


@dataclass(frozen=True, slots=True)
class _Shared:
    """What more than one feature stands on."""

    exchange: TokenExchange
    regions: RegionApi
    source: NameSource
    sender: CodeSender
    sign_ins: SignIns
    mint: CodeMint
    scanning: Scanning
    pseudonyms: Pseudonyms
    verifiers: Mapping[VerificationMethod, Verifier]
    providers: Providers


async def app(process: Process) -> App:
    """Makes the features on the parts of the process, and lists what they serve and do by themselves.

    The token endpoint is a server beside that of gRPC, and is put to the process here.
    """
    config, keys = _config(process), signing_keys(process)
    code_keys = signing_keys(process, CODES)
    keepers = {each.purpose: KeyKeeper(each, process.database) for each in (keys, code_keys)}
    for keeper in keepers.values():
        await keeper.rotate_alone()
    await _found_clients(process, config)
    parts, passwords = parts_of(process, config, keys), Passwords()
    register = register_of(config.population_register, partial(_neighbour, process, "sharing"))
    shared = _shared(process, config, parts, NameSource(register), SignIns(parts, passwords), code_keys)
    teller, webhooks, own_door = (
        LogoutTeller(parts, LogoutDelivery(config.logout)),
        WebhookSender(config.webhooks),
        _own_door(process),
    )
    postman = WebhookWorker(parts, _logs_of(process, own_door), webhooks, config.webhooks.poll_seconds)
    guests = GuestWatch(parts, Regions(own_door))
    if config.http is not None:
        endpoints = _endpoints(process, parts, shared, config, passwords)
        process.beside(HttpServer(endpoints.app(), config.http).run)
        if config.mtls_http is not None:
            door = GatewayDoor.of(config.tls, config.region.id)
            process.beside(HttpServer(endpoints.app(), config.mtls_http, door).run)
    return App(
        apis=_apis(parts, shared, config, KeyApi(parts, keepers)),
        # Officials read every consent, on record; people are told of theirs by nobody here.
        followed={"consents": Followed("identity.consents.get", everybody)},
        workers=[
            *(each.run for each in keepers.values()),
            Forgetter(parts).run,
            ClientEnds(parts).run,
            *([shared.sender.run] if shared.sender.kinds else ()),
            teller.run,
            guests.run,
            ForgottenScans(process.database, process.wall).run,
            postman.run,
            ForgottenDeliveries(parts).run,
            CountedDeliveries(process.database).run,
        ],
        closers=[
            register.close,
            passwords.close,
            shared.scanning.close,
            shared.sender.close,
            teller.close,
            webhooks.close,
            guests.close,
            own_door.close,
            shared.providers.close,
            *(each.close for each in shared.verifiers.values()),
        ],
        held=HELD,
        trusted=shared.regions.require_inbound,
    )


def _shared(
    process: Process, config: Config, parts: Parts, source: NameSource, sign_ins: SignIns, code_keys: TokenKeys
) -> _Shared:
    mint = CodeMint(code_keys, FieldCipher.open(process.keys, process.provider, "codes"), process.wall, parts.home)
    maker = pseudonymizer_of(config.pseudonyms, process.keys, process.provider)
    return _Shared(
        exchange=TokenExchange(parts, certified_windows=config.windows.certified),
        regions=RegionApi(parts),
        source=source,
        sender=CodeSender(parts, config.region.name, notifiers_of(config.notify)),
        sign_ins=sign_ins,
        mint=mint,
        scanning=Scanning(parts, mint),
        pseudonyms=Pseudonyms(maker, parts.cipher, parts.home),
        verifiers=verifiers_of(config.verifiers),
        providers=Providers(config.upstreams, parts.codec),
    )


def _apis(parts: Parts, shared: _Shared, config: Config, keys: KeyApi) -> dict[str, list[object]]:
    """What serves each service of the contract."""
    return {
        "AccessService": [AccessApi(parts, declared_access())],
        "AccountService": [
            PersonApi(parts, shared.pseudonyms),
            OrganizationApi(parts),
            DocumentApi(parts, shared.source),
            ContactApi(parts, shared.sender),
            ClosingApi(parts),
            MergeApi(parts),
            IdentityApi(parts),
        ],
        "VerificationService": [RealNameApi(parts, shared.source), VerifierApi(parts, shared.verifiers)],
        "MandateService": [MandateApi(parts), GuardianApi(parts)],
        "StaffService": [
            DepartmentApi(parts),
            DepartmentTreeApi(parts),
            PostApi(parts),
            RoleApi(parts),
            StaffApi(parts),
            AssignmentApi(parts),
            SubstitutionApi(parts),
            CertificationApi(parts),
        ],
        "ConsentService": [ConsentApi(parts)],
        "ClientService": [ClientApi(parts), ClientRequestApi(parts), ClientUpdateApi(parts)],
        "RegionService": [shared.regions],
        "TokenService": [TokenApi(parts, shared.exchange), keys],
        "SignInService": [
            SignInApi(parts, shared.sign_ins, certificates=config.sign_in.certificates is not None),
            SignInGrantApi(parts),
            UpstreamApi(parts, config.upstreams),
            AccountLinkApi(parts),
        ],
        "WebhookService": [WebhookApi(parts, config.webhooks), WebhookDeliveryApi(parts)],
        "CodeService": [CodeApi(parts, shared.mint), CredentialApi(parts), ScanApi(parts, shared.scanning)],
    }


def _endpoints(process: Process, parts: Parts, shared: _Shared, config: Config, passwords: Passwords) -> OAuthEndpoints:
    """Makes what is served over HTTP: the token endpoint, OpenID Connect, and the pages at which people sign in."""
    exchange, sign_ins = shared.exchange, shared.sign_ins
    answering = Answering(ClientAuthentication(parts, audiences_of(parts)), process.tracing)
    code_grants = CodeGrants(parts, sign_ins, RefreshTokens(process.keys, process.provider))
    devices = Devices(parts)
    authorizations, device_grants = Authorizations(parts, devices), DeviceGrants(parts, code_grants)
    about = AboutTokens(parts, code_grants, process.verifier(parts.codec.keys))
    openid = OpenIdEndpoints(answering, authorizations, devices, code_grants, device_grants, about, parts.proofs)
    pages = BrowserPages(f"{process.config.region.name}统一身份认证", parts.base_url)
    section = config.sign_in.certificates
    judge = CertificateJudge(parts, process.provider, section)
    ways = [by_passkey(KeySignIns(parts, PasskeyJudge(parts))), by_certificate(KeySignIns(parts, judge), section)]
    enrollments = Enrollments(parts, passwords, BreachedPasswords(config.breached_passwords_file), judge)
    enrolling = EnrollmentPages(enrollments, pages, ways)
    upstreams = UpstreamPages(Visits(parts, shared.providers), sign_ins, pages)
    browsers = SignInPages(
        authorizations, devices, sign_ins, ways, enrolling, upstreams, Logout(parts), pages, process.tracing
    )
    signatures = SignatureEndpoint(parts, process.verifier(parts.codec.keys))
    routes = [*openid.routes(), *browsers.routes(), *signatures.routes()]
    return OAuthEndpoints(parts, exchange, answering, openid.grants(), routes)


def _logs_of(process: Process, own: grpc.aio.Channel) -> NeighbourLogs:
    """Returns the logs of all services; ``own`` leads to our own door, at which we ask as any other does."""
    return NeighbourLogs(lambda service: own if service == process.service else _neighbour(process, service))


def _neighbour(process: Process, service: str) -> grpc.aio.Channel:
    """The channel to another service; raises Unavailable DEPENDENCY_UNAVAILABLE where the region runs without it."""
    if service not in process.config.neighbours:
        raise reasons.dependency_unavailable("it is no neighbour here", retry_after=60.0, dependency=service)
    return process.neighbour(service)


def _own_door(process: Process) -> grpc.aio.Channel:
    config = process.config
    host = "127.0.0.1" if config.grpc.host in ("0.0.0.0", "::") else config.grpc.host  # noqa: S104 - what is listened on
    return neighbour_channel(config.neighbours.get(process.service, f"{host}:{config.grpc.port}"), config.tls)


def own_verifier(process: Process) -> TokenVerifier:
    """Returns the verifier of this region's tokens by our own keys and withdrawals: no call to ourselves."""
    process.withdrawals = Withdrawals(TokenWithdrawals(process.database, process.wall).ask)
    return process.verifier(signing_keys(process))


def signing_keys(process: Process, purpose: str = TOKENS) -> TokenKeys:
    """Opens the keys that sign tokens, or codes; what verifies them goes by the machine's clock as they do."""
    keys = TokenKeys(process.keys, process.wall, timedelta(days=_config(process).tokens.key_days), purpose)
    keys.open()
    return keys


async def _found_clients(process: Process, config: Config) -> None:
    if config.bootstrap is not None:
        file, gateway = Path(config.bootstrap.credentials_file), config.public.base_url
        environment = ClientEnvironment(config.clients.environment)
        founding = ClientFounding(process.uow, process.database, config.identity.issuer, gateway, file, environment)
        await founding.ensure()
        if (pages := config.bootstrap.pages_credentials_file) is not None:
            await replace(founding, file=pages, made=pages_client(gateway)).ensure()


def _config(process: Process) -> Config:
    config = process.config
    assert isinstance(config, Config)
    return config
