"""Whether a person may act for a principal, by what is known here or by what their own region said."""

from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.errors import not_found, reasons
from services.identity.core import acting
from services.identity.core.accounts import current_name
from services.identity.core.mandate_rules import ActingBasis, MandatePower, MandateScope, check_item
from services.identity.core.names import local_name, region_of
from services.identity.core.regions import require_trust
from services.identity.core.trust import TrustDirection
from services.identity.mandates import store
from services.identity.mandates.convert import power_of
from tongban.identity.v1 import mandate_service_pb2 as pb

Answer = tuple[ActingBasis, datetime | None]
"""By which right, and until when; None where nothing limits it."""


async def judge(connection: DatabaseConnection, request: pb.CheckMandateRequest, home: str, at: datetime) -> Answer:
    """Returns by which right a person may act; raises what stands against it."""
    asked = pb.CheckMandateRequest()
    asked.CopyFrom(request)
    for field in ("person", "principal", "mandate"):
        named = local_name(getattr(request, field), home)
        # An account that was merged answers by the one that took it in.
        setattr(asked, field, await current_name(connection, named))
    by = _foreign if region_of(asked.principal) else _local
    return await by(connection, asked, at)


async def _local(connection: DatabaseConnection, asked: pb.CheckMandateRequest, at: datetime) -> Answer:
    found = await acting.right(connection, asked.person, asked.principal, asked.mandate, at)
    if found.mandate is None:
        return found.basis, None
    check_item(asked.mandate, found.mandate.scope, asked.item_codes, power_of(asked.power))
    return found.basis, found.mandate.expire_time


async def _foreign(connection: DatabaseConnection, asked: pb.CheckMandateRequest, at: datetime) -> Answer:
    await require_trust(connection, region_of(asked.principal), TrustDirection.INBOUND)
    if asked.person == asked.principal:
        return ActingBasis.SELF, None
    fact = await store.asserted_right(connection, asked.person, asked.principal, asked.mandate)
    if fact is None:
        if asked.mandate:
            raise not_found(asked.mandate)
        raise reasons.not_legal_representative("their region never said so", organization=asked.principal)
    if fact.expire_time is not None and fact.expire_time <= at:
        raise reasons.mandate_not_active("what their region said has ended", mandate=asked.mandate, state="EXPIRED")
    if not asked.mandate:
        return ActingBasis.LEGAL_REPRESENTATIVE, fact.expire_time
    # A newer region may assert powers that this one has no name for: they allow nothing here.
    powers, items = frozenset(each for each in MandatePower if each in fact.powers), frozenset(fact.item_codes)
    check_item(asked.mandate, MandateScope(powers, items, "*" in items), asked.item_codes, power_of(asked.power))
    return ActingBasis.MANDATE, fact.expire_time
