"""SignInService about the accounts elsewhere that people sign in by: theirs to see, and to take off."""

from libs.db.command import command_of
from libs.db.etag import check_etag, etag_of
from libs.db.uow import Transaction
from libs.errors import state_conflict
from libs.lists import fields
from libs.lists.listing import FilteredList, Scope
from libs.lists.paths import Order, Path
from libs.rpc.call import Call
from libs.rpc.messages import Names, timestamp
from services.identity.core.parts import Parts
from services.identity.upstream import links, store
from services.identity.upstream.links import AccountLink, AccountLinkState, account_links
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import sign_in_service_pb2 as pb

_STATES = Names(pb.AccountLinkState)
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


class AccountLinkApi:
    """Serves people what is theirs of it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def list_account_links(self, request: pb.ListAccountLinksRequest, call: Call) -> pb.ListAccountLinksResponse:
        """Lists the accounts elsewhere that the person signs in by."""
        parts, scope = self._parts, Scope({"person": call.actor.person})
        async with parts.database.read() as connection:
            shown, token = await LISTED.page(connection, parts.pages, request, [scope])
            called = await store.display_names(connection, [row.upstream for row in shown])
        # Nobody but the person by themselves can ask.
        call.own()
        messages = [_message(row, called[row.upstream]) for row in shown]
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
            return _message(row, called[row.upstream])

        return await self._parts.uow.run(command_of(request, call=call), work)


def _message(row: AccountLink, called: str) -> pb.AccountLink:
    return pb.AccountLink(
        name=row.name,
        upstream=f"upstreams/{row.upstream}",
        upstream_display_name=called,
        state=_STATES.number(row.state.value),
        last_use_time=timestamp(row.last_use_time),
        create_time=timestamp(row.create_time),
        etag=etag_of(row.version),
    )
