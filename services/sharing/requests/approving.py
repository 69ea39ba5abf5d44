"""Consent to a request: what is granted of what was asked, and the grant that is made of it."""

from datetime import date

from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from services.sharing.core.catalogue import CatalogueEntry
from services.sharing.core.granting import GrantState, initial_state
from services.sharing.core.grants import Grant, add_grant
from services.sharing.core.messages import terms_of
from services.sharing.core.mounts import lock_mount_of
from services.sharing.core.resources import lock_resource
from services.sharing.requests.store import DataRequest
from services.sharing.requests.telling import tell_granted
from services.sharing.requests.terms import check_terms, require_within
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


async def approved(
    tx: Transaction, row: DataRequest, request: pb.ApproveDataRequestRequest, due: date, home: str
) -> Grant:
    """Makes the grant that a request is answered with, supplied at once where its resource's mount is active.

    Raises:
        FailedPrecondition: TERMS_EXCEED_REQUEST, RESOURCE_NOT_SHARED.
        InvalidArgument: FIELD_INVALID, FIELD_UNKNOWN.
    """
    # The locks keep a mount from being made or checked unseen: either it or this supplies the grant.
    behind = await lock_resource(tx.connection, row.resource_id)
    mount = await lock_mount_of(tx.connection, row.resource_id)
    content = messages.RequestContent.FromString(row.content)
    terms = request.terms if request.HasField("terms") else content.terms
    _check_granted(row, behind.facts, content.terms, terms, home)
    state = initial_state(mounted=mount is not None and mount.is_active)
    made = _made(tx, row, content.legal_basis, terms, state)
    tell_granted(tx, row, made.name, due)
    return await add_grant(tx, made)


def _check_granted(
    row: DataRequest, entry: CatalogueEntry, asked: messages.GrantTerms, given: messages.GrantTerms, home: str
) -> None:
    """Holds what is granted to what was asked for, and to the resource."""
    fields = entry.field_map()
    terms = terms_of(given, fields)
    require_within(row.name, terms_of(asked, fields), terms)
    check_terms(row.resource, entry, terms, home)


def _made(tx: Transaction, row: DataRequest, legal_basis: str, terms: messages.GrantTerms, state: GrantState) -> Grant:
    return Grant(
        id=uuid7(),
        resource_id=row.resource_id,
        request_id=row.id,
        provider_department=row.provider_department,
        consumer_region=row.consumer_region,
        departments=tuple(terms.departments),
        state=state,
        legal_basis=legal_basis,
        terms=terms.SerializeToString(),
        create_time=tx.now,
        update_time=tx.now,
    )
