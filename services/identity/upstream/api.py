"""SignInService about identity providers of others, and the accounts there by which people sign in here."""

from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import reasons, state_conflict
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.config import Upstreams
from services.identity.core.approval import approved_by, asked_by, holds
from services.identity.core.parts import Parts
from services.identity.core.reached import check_called, ranges
from services.identity.upstream import links, rules, store
from services.identity.upstream.convert import link_message, new_upstream, upstream_message
from services.identity.upstream.links import AccountLinkState
from services.identity.upstream.rules import UpstreamState
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb


class UpstreamApi:
    """Keeps the identity providers."""

    def __init__(self, parts: Parts, config: Upstreams) -> None:
        self._parts = parts
        self._allow_http = config.allow_http
        self._allowed = ranges(config.private_ranges)

    async def propose_upstream(self, request: pb.ProposeUpstreamRequest, call: Call) -> pb.Upstream:
        """Enters an identity provider; nobody is sent there yet."""
        asked = request.upstream
        check_called(asked.issuer, "upstream.issuer", "upstream", allow_http=self._allow_http, allowed=self._allowed)
        rules.check_issuer(asked.issuer, self._parts.base_url)

        async def work(tx: Transaction) -> pb.Upstream:
            made = new_upstream(asked, asked_by(call.actor.human), tx.now)
            if (there := await store.living(tx.connection, made.issuer)) is not None:
                raise reasons.resource_exists("there is one with this issuer", resource=there.name)
            row = await store.ADD.add(tx.connection, made)
            tx.emit(row.name, events.UpstreamProposed(upstream=row.name))
            return upstream_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def approve_upstream(self, request: pb.ApproveUpstreamRequest, call: Call) -> pb.Upstream:
        """Stands behind an identity provider; with the second human being people are sent there."""

        async def work(tx: Transaction) -> pb.Upstream:
            row = await store.lock(tx.connection, request.name, request.etag)
            rules.check_proposed(row)
            backers = approved_by(row.backers, call.actor.human, actor_kind=call.actor.kind)
            state = UpstreamState.ACTIVE if holds(backers) else row.state
            row = await store.UPDATE.one(tx.connection, row.id, state=state, backers=backers, update_time=tx.now)
            message = upstream_message(row)
            tx.emit(row.name, events.UpstreamApproved(upstream=row.name, state=message.state))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def end_upstream(self, request: pb.EndUpstreamRequest, call: Call) -> pb.Upstream:
        """Ends an identity provider, or refuses one that waits."""

        async def work(tx: Transaction) -> pb.Upstream:
            row = await store.lock(tx.connection, request.name, request.etag)
            rules.check_not_ended(row)
            change = {"state": UpstreamState.ENDED, "end_reason": request.reason, "update_time": tx.now}
            row = await store.UPDATE.one(tx.connection, row.id, **change)
            tx.emit(row.name, events.UpstreamEnded(upstream=row.name, reason=request.reason))
            return upstream_message(row)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_upstream(self, request: pb.GetUpstreamRequest, call: Call) -> pb.Upstream:
        """Gets an identity provider."""
        async with self._parts.database.read() as connection:
            return upstream_message(await store.upstream(connection, request.name))

    async def list_upstreams(self, request: pb.ListUpstreamsRequest, call: Call) -> pb.ListUpstreamsResponse:
        """Lists identity providers, newest first."""
        async with self._parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, self._parts.pages, request)
        return pb.ListUpstreamsResponse(upstreams=map(upstream_message, shown), next_page_token=token)


class AccountLinkApi:
    """Serves people what is theirs of it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list_account_links(self, request: pb.ListAccountLinksRequest, call: Call) -> pb.ListAccountLinksResponse:
        """Lists the accounts elsewhere that the person signs in by."""
        parts, scope = self._parts, Scope({"person": call.actor.person})
        async with parts.database.read() as connection:
            shown, token = await links.LISTED.page(connection, parts.pages, request, [scope])
            called = await store.display_names(connection, [row.upstream for row in shown])
        messages = [link_message(row, called[row.upstream]) for row in shown]
        return pb.ListAccountLinksResponse(account_links=messages, next_page_token=token)

    async def remove_account_link(self, request: pb.RemoveAccountLinkRequest, call: Call) -> pb.AccountLink:
        """Takes an account elsewhere off."""
        person = call.actor.person

        async def work(tx: Transaction) -> pb.AccountLink:
            row = await links.own_link(tx.connection, request.name, person)
            check_etag(request.name, row.version, request.etag)
            if row.state is not AccountLinkState.ACTIVE:
                raise state_conflict(row.name, row.state, AccountLinkState.ACTIVE)
            change = {"state": AccountLinkState.REMOVED, "update_time": self._parts.wall.now()}
            row = await links.UPDATE.one(tx.connection, row.id, **change)
            called = await store.display_names(tx.connection, [row.upstream])
            tx.emit(row.name, events.AccountLinkRemoved(account_link=row.name, person=person))
            return link_message(row, called[row.upstream])

        return await self._parts.uow.run(command_of(request, call=call), work)
