"""What a person is told of a use: which office or system it was, in which way, and never which member of staff."""

import re
from collections.abc import Mapping

from libs.access.actor import is_person
from libs.audit.records import Record
from libs.ids.subjects import SubjectKind, parse_subject
from libs.rpc.messages import timestamp
from tongban.common.v1 import common_pb2, use_pb2

_WAYS: Mapping[str, use_pb2.UseWay.ValueType] = {
    "Download": use_pb2.USE_WAY_FETCHED,
    "Query": use_pb2.USE_WAY_FETCHED,
    "Redeem": use_pb2.USE_WAY_FETCHED,
    "Verify": use_pb2.USE_WAY_VERIFIED,
    "Validate": use_pb2.USE_WAY_VERIFIED,
    "Scan": use_pb2.USE_WAY_VERIFIED,
    "Check": use_pb2.USE_WAY_COMPARED,
    "Compare": use_pb2.USE_WAY_COMPARED,
    "Seal": use_pb2.USE_WAY_SEALED,
}
"""By the verb of the RPC; every other one shows."""
_VERB = re.compile(r"[A-Z][a-z]*")


def way_of(action: str) -> use_pb2.UseWay.ValueType:
    """Returns in which way an RPC, by its full name, uses what it reads; a sealing is on record before the key is used (``.intent``)."""
    verb = _VERB.match(action.removesuffix(".intent").rpartition(".")[2])
    return _WAYS.get(verb[0] if verb else "", use_pb2.USE_WAY_SHOWN)


def use_of(record: Record, subject: str, service: str) -> use_pb2.Use:
    """Returns what ``subject`` is told of a record of the log of ``service``."""
    region, client = _user(record.actor)
    context = common_pb2.UseContext(
        purpose_code=record.purpose_code,
        purpose=record.purpose,
        service_item=record.service_item,
        case=record.case,
        department=record.department,
        transaction_id=record.transaction_id,
    )
    if record.basis_kind:
        setattr(context, record.basis_kind, record.basis)
    return use_pb2.Use(
        record=record.name,
        subject=subject,
        resource=record.object,
        fields=record.fields,
        way=way_of(record.action),
        use_time=timestamp(record.record_time),
        use_context=context,
        region=region,
        agent=record.actor if is_person(record.actor) and record.on_behalf_of == subject else "",
        client=client,
        service=service,
    )


def _user(actor: str) -> tuple[str, str]:
    """Returns of which other region an actor is, and which client it is; both empty for staff of this region."""
    try:
        found = parse_subject(actor)
    except ValueError:
        return "", ""
    return found.region, actor if found.kind is SubjectKind.CLIENT else ""
