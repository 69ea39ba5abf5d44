"""CodeService's cards: bound to a code by who has seen them, unbound, and listed."""

from libs.access import owners
from libs.audit.reading import record_read
from libs.db.command import command_of
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, reasons
from libs.lists.listing import Scope
from libs.rpc.call import Call
from services.identity.core.accounts import active_person
from services.identity.core.names import id_of
from services.identity.core.parts import Parts
from services.identity.credentials import rules, store
from services.identity.credentials.convert import binding_message, new_binding
from tongban.identity.v1 import code_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events


class CredentialApi:
    """Keeps the cards that are bound to codes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def bind_credential(self, request: pb.BindCredentialRequest, call: Call) -> pb.CredentialBinding:
        """Binds a card to a person's code."""
        parts = self._parts
        call.actor.require_impartial(request.person)

        async def work(tx: Transaction) -> pb.CredentialBinding:
            holder = await active_person(tx.connection, request.person, lock=True)
            made = new_binding(request, holder.id, call.actor.subject, parts.cipher, tx.now)
            if await store.is_taken(tx.connection, made):
                raise reasons.resource_exists("such a card is bound", resource="credentialBindings")
            row = await store.ADD.add(tx.connection, made)
            message = binding_message(row, parts.cipher)
            tx.emit(
                row.name,
                events.CredentialBindingBound(credential_binding=row.name, person=message.person, kind=message.kind),
            )
            return message

        return await parts.uow.run(command_of(request, call=call), work)

    async def unbind_credential(self, request: pb.UnbindCredentialRequest, call: Call) -> pb.CredentialBinding:
        """Ends a binding; people end their own."""
        parts, actor = self._parts, call.actor

        async def work(tx: Transaction) -> pb.CredentialBinding:
            row = await store.lock(tx.connection, request.name)
            person = f"persons/{row.person}"
            if actor.person and actor.person != person:
                raise not_found(request.name)
            actor.require_impartial(person)
            check_etag(request.name, row.version, request.etag)
            ended = rules.unbound(row, tx.now)
            row = await store.UPDATE.one(
                tx.connection, row.id, state=ended.state, unbind_time=tx.now, update_time=tx.now
            )
            message = binding_message(row, parts.cipher)
            tx.emit(
                row.name,
                events.CredentialBindingUnbound(credential_binding=row.name, person=person, kind=message.kind),
            )
            return message

        return await parts.uow.run(command_of(request, call=call), work)

    async def list_credential_bindings(
        self, request: pb.ListCredentialBindingsRequest, call: Call
    ) -> pb.ListCredentialBindingsResponse:
        """Lists the bindings of one person; of others than oneself it is recorded."""
        parts, own = self._parts, owners.whose(call.actor)
        subject = request.person or own or ""
        if not subject:
            raise invalid_field("person", "required", "say whose bindings are read")
        if own is not None and subject != own:
            raise reasons.not_owner("people list what is bound to their own code")
        scope = Scope({"person": id_of(subject)})
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, [scope])
        about, known = ("credential_binding",), own is not None
        await record_read(parts.audit, request, subject, about, len(shown), own=known, of=[subject], call=call)
        messages = [binding_message(row, parts.cipher) for row in shown]
        return pb.ListCredentialBindingsResponse(credential_bindings=messages, next_page_token=token)
