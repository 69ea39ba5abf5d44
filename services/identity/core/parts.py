"""What the features stand on, made once when the service starts."""

from dataclasses import dataclass

from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.crypto.envelope import FieldCipher
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.uow import UnitOfWork
from libs.process import Process
from libs.rpc.quotas import ClientQuotas
from libs.security.once import UsedOnce
from libs.security.possession import ProofsOfPossession
from services.identity.config import Config
from services.identity.core.client_rules import ClientEnvironment
from services.identity.core.client_secrets import ClientSecrets
from services.identity.core.codec import TokenCodec
from services.identity.core.given_assertions import GivenAssertions
from services.identity.core.signing_keys import TokenKeys
from services.identity.core.token_records import TokenRecords
from services.identity.core.vouching import Vouching
from services.identity.core.withdrawals import TokenWithdrawals


@dataclass(frozen=True, slots=True)
class Parts:
    """The pieces of the process, and what of tokens several features need.

    Attributes:
        home: this region's id.
        base_url: the gateway's address as the public sees it.
        mtls_url: that at which it takes certificates of clients; empty where it doesn't.
        environment: what the region is for; clients for another one get no tokens.
        clock: the business clock.
        wall: the machine's clock, by which tokens and credentials live.
        codec: makes and reads tokens.
        once: what may be used once.
        proofs: checks that who asks for a token, or brings one, has its key.
        withdrawals: what no longer stands behind tokens.
        given: what assertions to other regions rest on.
        vouching: who people are, told to other regions and by them.
        quotas: counts what clients call.
    """

    home: str
    base_url: str
    mtls_url: str
    environment: ClientEnvironment
    clock: Clock
    wall: Clock
    database: Database
    uow: UnitOfWork
    audit: AuditWriter
    pages: Pages
    cipher: FieldCipher
    codec: TokenCodec
    once: UsedOnce
    proofs: ProofsOfPossession
    records: TokenRecords
    client_secrets: ClientSecrets
    withdrawals: TokenWithdrawals
    given: GivenAssertions
    vouching: Vouching
    quotas: ClientQuotas


def parts_of(process: Process, config: Config, keys: TokenKeys) -> Parts:
    """Makes the parts of the process ``process``, whose tokens ``keys`` sign."""
    home, database, clock = config.region.id, process.database, process.clock
    seconds, quota = config.tokens.access_seconds, config.clients.quota
    return Parts(
        home=home,
        base_url=config.public.base_url,
        mtls_url=config.public.mtls_url,
        environment=ClientEnvironment(config.clients.environment),
        clock=clock,
        wall=process.wall,
        database=database,
        uow=process.uow,
        audit=process.audit,
        pages=process.pages,
        cipher=process.cipher,
        codec=TokenCodec(
            keys, process.wall, region=home, issuer=config.identity.issuer, access_seconds=seconds, quota=quota
        ),
        once=UsedOnce(process.redis, home, "identity:once"),
        proofs=process.proofs,
        records=TokenRecords(process.audit),
        client_secrets=ClientSecrets(process.keys, process.provider),
        withdrawals=TokenWithdrawals(database, process.wall, process.withdrawals),
        given=GivenAssertions(database, process.wall),
        vouching=Vouching(database, process.cipher, clock),
        quotas=process.quotas,
    )
