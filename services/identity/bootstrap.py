"""The first administrator: a client that the first start makes, and the file that holds its key."""

import asyncio
import json
import os
import secrets
import uuid
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import ECKey
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.uow import Transaction, UnitOfWork
from libs.observability.logs import logger
from services.identity.convert.clients import client_message
from services.identity.domain import roles
from services.identity.domain.clients import AuthMethod, Kind, State
from services.identity.oauth.discovery import TOKEN_PATH
from services.identity.store.reading import first
from services.identity.tables import clients
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

CLIENT_ID = "administrator"
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtext('identity:bootstrap'))")
_log = logger(__name__)


class NotWritten(Exception):
    """The file of the administrator's credentials can't be written; no client was made or changed."""


class Bootstrap:
    """Makes the administrator's client, or a new key for it where the file was lost."""

    def __init__(self, uow: UnitOfWork, database: Database, issuer: str, gateway: str, file: Path) -> None:
        self._uow = uow
        self._database = database
        self._issuer = issuer
        self._gateway = gateway
        self._file = file

    async def ensure(self) -> None:
        """Leaves a client whose key lies in the file; changes nothing where that is so already.

        Raises:
            NotWritten: nothing was changed.
        """
        async with self._database.read() as connection:
            if self._is_ready(await _find(connection)):
                return
        command = Command(
            caller="services/identity",
            actor="services/identity",
            method="bootstrap",
            request_id=str(uuid.uuid4()),
            digest=b"",
            response_type=resources.Client,
        )
        await self._uow.run(command, self._make)

    def _is_ready(self, row: Row | None) -> bool:
        return row is not None and self._key_in_file() in {key["kid"] for key in row.jwks or ()}

    def _key_in_file(self) -> str:
        try:
            return str(json.loads(self._file.read_text(encoding="utf-8"))["private_key_jwk"]["kid"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    async def _make(self, tx: Transaction) -> resources.Client:
        await tx.connection.execute(_LOCK)
        row = await _find(tx.connection)
        if row is not None and self._is_ready(row):
            return client_message(row)  # another replica was faster
        key = ECKey.generate_key("P-256", {"alg": "ES256", "use": "sig"})
        jwk: dict[str, Any] = {**key.as_dict(private=True), "kid": key.thumbprint()}
        public = {name: value for name, value in jwk.items() if name != "d"}
        # The file first: a key that nobody holds must never be in the database.
        try:
            await asyncio.to_thread(self._write, jwk)
        except OSError as error:
            raise NotWritten(f"the administrator's credentials can't be written to {self._file}") from error
        name = f"clients/{CLIENT_ID}"
        if row is None:
            row = await rows.insert(
                tx.connection,
                clients,
                _values(public)
                | {
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            tx.emit(
                name,
                events.ClientCreated(client=name, kind=resources.CLIENT_KIND_SYSTEM),
            )
        else:
            row = await rows.update(
                tx.connection,
                clients,
                CLIENT_ID,
                {
                    "jwks": [public],
                    "old_jwks": None,
                    "overlap_expire_time": None,
                    "scopes": list(roles.ADMINISTRATOR),
                    "update_time": tx.now,
                },
            )
            tx.emit(name, events.ClientRotated(client=name))
        _log.info("administrator's credentials written", file=self._file.name)
        return client_message(row)

    def _write(self, jwk: dict[str, Any]) -> None:
        content = {
            "client_id": CLIENT_ID,
            "token_endpoint": f"{self._gateway}{TOKEN_PATH}",
            "private_key_jwk": jwk,
            "issuer": self._issuer,
            "gateway": self._gateway,
        }
        draft = self._file.with_name(f".{self._file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        finally:
            draft.unlink(missing_ok=True)


async def _find(connection: AsyncConnection) -> Row | None:
    return await first(connection, rows.by_id(clients), **{rows.KEY: CLIENT_ID})


def _values(public: dict[str, str]) -> dict[str, Any]:
    return {
        "id": CLIENT_ID,
        "display_name": "系统管理员",
        "kind": Kind.SYSTEM.value,
        "owner": "",
        "auth_method": AuthMethod.PRIVATE_KEY_JWT.value,
        "jwks": [public],
        "scopes": list(roles.ADMINISTRATOR),
        "assertable": [],
        "max_assurance": 0,
        "quota_per_second": 0,
        "quota_per_day": 0,
        "state": State.ACTIVE.value,
    }
