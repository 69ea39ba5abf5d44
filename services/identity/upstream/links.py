"""Which accounts of identity providers belong to which people, and who is on their way there, in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.names import id_of
from tongban.identity.v1 import sign_in_service_pb2 as pb

AWAY_LASTS = timedelta(minutes=15)
"""For so long somebody may take to sign in there and come back, and to say whose account here it is."""
SECRETS, SUBJECT = Column("upstream_visits", "secrets"), Column("account_links", "subject")

account_links = sa.Table(
    "account_links",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Text, nullable=False),
    columns.reference("upstream", "upstreams.id"),
    columns.binary("account"),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    *columns.given("state"),
    columns.moment("last_use_time"),
    *columns.life(),
    sa.Index("account_links_of_person", "person", "create_time", "id"),
    sa.Index("account_links_account", "account", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="Which accounts of identity providers belong to which people; known by a blind index of issuer and subject.",
)

upstream_visits = sa.Table(
    "upstream_visits",
    schema.METADATA,
    columns.record_id(),
    columns.binary("state"),
    columns.reference("upstream", "upstreams.id"),
    columns.binary("browser"),
    columns.binary("request"),
    columns.binary("secrets"),
    columns.nothing_yet("account"),
    columns.moment("expire_time", nullable=False),
    columns.moment("create_time", nullable=False),
    sa.Index("upstream_visits_state", "state", unique=True),
    sa.Index("upstream_visits_expire", "expire_time"),
    comment="Who is on their way to an identity provider, or came back by an account that belongs to nobody here; secrets are encrypted.",
)


class AccountLinkState(StrEnum):
    """The life of a link (AccountLinkState of the contract)."""

    ACTIVE = "ACTIVE"
    REMOVED = "REMOVED"


@of(account_links)
@dataclass(frozen=True, slots=True)
class AccountLink:
    """An account of an identity provider (an id) that belongs to ``person``.

    Attributes:
        account: the blind index of issuer and subject.
        assurance: the level at which it was linked; by the link alone nobody signs in at a higher one.
    """

    id: str
    person: str
    upstream: str
    account: bytes
    assurance: int
    create_time: datetime
    update_time: datetime
    state: AccountLinkState = AccountLinkState.ACTIVE
    last_use_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"accountLinks/{self.id}"


@of(upstream_visits)
@dataclass(frozen=True, slots=True)
class UpstreamVisit:
    """Somebody on their way to an identity provider.

    Attributes:
        state: SM3 of what the provider gives back.
        browser: SM3 of the cookie of the browser that it belongs to.
        request: SM3 of the ticket of the sign-in that it is for.
        secrets: that ticket, the PKCE verifier, the nonce and how old a sign-in may be; of who came back the blind index of the number that
            was proven there. Encrypted.
        account: the blind index of who came back, where it belongs to nobody here yet; then ``state`` is that of the page's form.
    """

    id: str
    state: bytes
    upstream: str
    browser: bytes
    request: bytes
    secrets: bytes
    expire_time: datetime
    create_time: datetime
    account: bytes = b""


ADD, UPDATE, ADD_VISIT = Addition(AccountLink), Update(AccountLink), Addition(UpstreamVisit)
LISTED = FilteredList(
    AccountLink,
    pb.ListAccountLinksRequest,
    account_links,
    {
        "state": fields.choice("state", pb.AccountLinkState),
        "create_time": fields.moment("create_time"),
        "last_use_time": fields.moment("last_use_time", nullable=True),
    },
    {"create_time": Order(("create_time", "id"), (Path(("person",)),))},
    "create_time desc",
)

_BY_ACCOUNT = Query(
    AccountLink, "SELECT {columns} FROM account_links WHERE account = :account AND state = 'ACTIVE' FOR UPDATE"
)
_LOCK = Query(AccountLink, "SELECT {columns} FROM account_links WHERE id = CAST(:id AS uuid) FOR UPDATE")
_TAKE = Query(
    UpstreamVisit,
    """DELETE FROM upstream_visits WHERE state = :state AND browser = :browser AND (account <> '') = :known
      AND expire_time > CAST(:now AS timestamptz) RETURNING {columns}""",
)
FORGET_VISITS = Query(
    UpstreamVisit,
    """DELETE FROM upstream_visits WHERE id IN (
      SELECT id FROM upstream_visits WHERE expire_time < CAST(:now AS timestamptz) LIMIT 100 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)


async def link_of(connection: DatabaseConnection, account: bytes) -> AccountLink | None:
    """Reads and locks the link of an account there, or None."""
    return await _BY_ACCOUNT.first(connection, account=account)


async def own_link(connection: DatabaseConnection, name: str, person: str) -> AccountLink:
    """Reads and locks a link of ``person``; raises NotFound, of another's too."""
    found = await _LOCK.first(connection, id=id_of(name))
    if found is None or found.person != person:
        raise not_found(name)
    return found


async def take_visit(
    connection: DatabaseConnection, state: bytes, browser: bytes, now: datetime, *, known: bool
) -> UpstreamVisit | None:
    """Uses a visit up, in its own browser alone; ``known``: one that came back. None where there is none."""
    return await _TAKE.first(connection, state=state, browser=browser, now=now, known=known)
