"""The part of TokenService by which people change the keys that sign: the next one signs, or one never again."""

import asyncio
from collections.abc import Mapping

from libs.db.command import command_of
from libs.db.uow import Transaction
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.call import Call
from services.identity.core.jwk import jwks_message
from services.identity.core.parts import Parts
from services.identity.core.signing_keys import CODES, TOKENS
from services.identity.keys import store
from services.identity.keys.store import KeyOrder, OrderKind
from services.identity.keys.worker import KeyKeeper
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import token_service_pb2 as pb

_KINDS = {pb.SIGNING_KEY_KIND_TOKENS: TOKENS, pb.SIGNING_KEY_KIND_CODES: CODES}


class KeyApi:
    """Takes orders, and carries them out once they are on record."""

    def __init__(self, parts: Parts, keepers: Mapping[str, KeyKeeper]) -> None:
        self._parts = parts
        self._keepers = keepers

    async def rotate_signing_keys(self, request: pb.RotateSigningKeysRequest, call: Call) -> resources.JsonWebKeySet:
        """Has the next key sign from now on."""
        keeper = self._keepers[_KINDS[request.kind]]

        async def work(tx: Transaction) -> resources.JsonWebKeySet:
            gone = await self._settled(tx, keeper)
            kid = await asyncio.to_thread(keeper.keys.following, gone)
            if request.kid != kid:
                raise not_found(f"signingKeys/{request.kid}")
            await self._order(tx, keeper, kid, OrderKind.BEGIN, "")
            tx.emit(f"signingKeys/{kid}", events.SigningKeyRotated(kind=request.kind, kid=kid))
            return jwks_message(keeper.keys.public(begun=kid, gone=gone))

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        await keeper.carry_out()
        await keeper.rotate_alone()
        return answer

    async def revoke_signing_key(self, request: pb.RevokeSigningKeyRequest, call: Call) -> resources.JsonWebKeySet:
        """Destroys a key that may be in other hands."""
        keeper = self._keepers[_KINDS[request.kind]]

        async def work(tx: Transaction) -> resources.JsonWebKeySet:
            gone = await self._settled(tx, keeper)
            if request.kid in gone or not keeper.keys.has(request.kid):
                raise not_found(f"signingKeys/{request.kid}")
            begun = await self._begun_without(tx, keeper, request.kid, gone)
            await self._order(tx, keeper, request.kid, OrderKind.REVOKE, request.reason)
            tx.emit(f"signingKeys/{request.kid}", events.SigningKeyRevoked(kind=request.kind, kid=request.kid))
            return jwks_message(keeper.keys.public(begun=begun, gone=gone | {request.kid}))

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        await keeper.carry_out()
        await keeper.rotate_alone()
        return answer

    async def _begun_without(self, tx: Transaction, keeper: KeyKeeper, kid: str, gone: frozenset[str]) -> str:
        """Has the next key sign where ``kid`` does, and returns its id: not the one before, which was given up."""
        if keeper.keys.signing(gone) != kid:
            return ""
        following = await asyncio.to_thread(keeper.keys.following, gone | {kid})
        await self._order(tx, keeper, following, OrderKind.BEGIN, "")
        return following

    async def _settled(self, tx: Transaction, keeper: KeyKeeper) -> frozenset[str]:
        """Waits until nobody else changes these keys, has all of them at hand, and returns which never sign again."""
        await keeper.wait_turn(tx.connection)
        ordered = await store.OF_PURPOSE.all(tx.connection, purpose=keeper.keys.purpose)
        await asyncio.to_thread(keeper.keys.load)
        return store.revoked(ordered)

    async def _order(self, tx: Transaction, keeper: KeyKeeper, kid: str, kind: OrderKind, reason: str) -> None:
        now = self._parts.wall.now()
        await store.ADD.add(tx.connection, KeyOrder(uuid7(), keeper.keys.purpose, kid, kind, reason, now))
