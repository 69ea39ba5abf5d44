"""The clients that a region starts with: the first administrator, and its own pages; and the files that hold their keys."""

import asyncio
import json
import os
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from libs.access import roles
from libs.db.command import Command
from libs.db.engine import Database
from libs.db.leader import turn
from libs.db.uow import Transaction, UnitOfWork
from libs.observability.logs import logger
from services.identity.api_clients import store
from services.identity.api_clients.convert import client_message
from services.identity.core.client_rules import (
    FIRST_CLIENT,
    OF_OWN_PAGES,
    OWN_PAGES,
    OWN_PAGES_CALLBACK,
    Client,
    ClientAuthMethod,
    ClientEnvironment,
    ClientKind,
    ClientState,
)
from services.identity.core.clients import find_client
from services.identity.core.codec import TOKEN_PATH
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

_log = logger(__name__)
Jwk = dict[str, Any]


class NotWritten(Exception):
    """The file of a client's credentials can't be written; no client was made or changed."""


@dataclass(frozen=True, slots=True)
class FoundingClient:
    """A client that a region starts with.

    Attributes:
        id: its client_id.
        display_name: what people call it.
        scopes: the permissions that its own tokens, or those of who signs in to it, may hold.
        redirect_uris: where who signs in to it is sent back to.
    """

    id: str
    display_name: str
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()


ADMINISTRATOR = FoundingClient(FIRST_CLIENT, "系统管理员", roles.ADMINISTRATOR)


def pages_client(base_url: str) -> FoundingClient:
    """Returns the client to which people sign in at the region's own pages (我的)."""
    return FoundingClient(OWN_PAGES, "我的", OF_OWN_PAGES, (f"{base_url}{OWN_PAGES_CALLBACK}",))


@dataclass(frozen=True, slots=True)
class ClientFounding:
    """Makes a client that a region starts with, or a new key for it where the file was lost.

    Attributes:
        issuer, gateway: what the file says of the region.
        environment: what the region is for, and so the client.
        file: where the credentials are written.
        made: which client.
    """

    uow: UnitOfWork
    database: Database
    issuer: str
    gateway: str
    file: Path
    environment: ClientEnvironment = ClientEnvironment.PRODUCTION
    made: FoundingClient = ADMINISTRATOR

    async def ensure(self) -> None:
        """Leaves a client whose key lies in the file; changes nothing where that is so already.

        Raises:
            NotWritten: nothing was changed.
        """
        async with self.database.read() as connection:
            if self._is_ready(await find_client(connection, self.made.id)):
                return
        command = Command(
            caller="services/identity",
            actor="services/identity",
            method="bootstrap",
            request_id=str(uuid.uuid4()),
            digest=b"",
            response_type=resources.Client,
        )
        await self.uow.run(command, self._make)

    def _is_ready(self, row: Client | None) -> bool:
        if row is None or self._key_in_file() not in {key["kid"] for key in row.jwks or ()}:
            return False
        return row.redirect_uris == self.made.redirect_uris

    def _key_in_file(self) -> str:
        try:
            return str(json.loads(self.file.read_text(encoding="utf-8"))["private_key_jwk"]["kid"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    async def _make(self, tx: Transaction) -> resources.Client:
        await turn(tx.connection, "identity:bootstrap")
        row = await find_client(tx.connection, self.made.id)
        if row is not None and self._is_ready(row):
            return client_message(row, tx.now)  # another replica was faster
        public = await self._new_key()
        if row is None:
            row = await store.ADD.add(tx.connection, _first(self.made, public, tx.now, self.environment))
            tx.emit(row.name, events.ClientCreated(client=row.name, kind=resources.CLIENT_KIND_SYSTEM))
        else:
            row = await _renew(tx, self.made, public)
            tx.emit(row.name, events.ClientRotated(client=row.name))
        _log.info("credentials of a founding client written", file=self.file.name)
        return client_message(row, tx.now)

    async def _new_key(self) -> Jwk:
        """Makes a key and writes it; returns its public half.

        The file comes first: a key that nobody holds must never be in the database.
        """
        key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"})
        jwk: Jwk = {**key.as_dict(private=True), "kid": key.thumbprint()}
        try:
            await asyncio.to_thread(self._write, jwk)
        except OSError as error:
            raise NotWritten(f"the credentials of {self.made.id} can't be written to {self.file}") from error
        return {name: value for name, value in jwk.items() if name != "d"}

    def _write(self, jwk: Jwk) -> None:
        content = {
            "client_id": self.made.id,
            "token_endpoint": f"{self.gateway}{TOKEN_PATH}",
            "private_key_jwk": jwk,
            "issuer": self.issuer,
            "gateway": self.gateway,
        }
        draft = self.file.with_name(f".{self.file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.file)
        finally:
            draft.unlink(missing_ok=True)


async def _renew(tx: Transaction, made: FoundingClient, public: Jwk) -> Client:
    return await store.UPDATE.one(
        tx.connection,
        made.id,
        jwks=[public],
        old_jwks=None,
        overlap_expire_time=None,
        scopes=made.scopes,
        redirect_uris=made.redirect_uris,
        rotate_time=tx.now,
        update_time=tx.now,
    )


def _first(made: FoundingClient, public: Jwk, now: datetime, environment: ClientEnvironment) -> Client:
    return Client(
        id=made.id,
        display_name=made.display_name,
        kind=ClientKind.SYSTEM,
        owner="",
        auth_method=ClientAuthMethod.PRIVATE_KEY_JWT,
        scopes=made.scopes,
        redirect_uris=made.redirect_uris,
        assertable=(),
        max_assurance=0,
        quota_per_second=0,
        quota_per_day=0,
        state=ClientState.ACTIVE,
        create_time=now,
        update_time=now,
        jwks=[public],
        environment=environment,
        rotate_time=now,
    )
