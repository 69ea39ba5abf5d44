"""What was validated only (AIP-163) leaves no change behind, but its answer may tell of somebody: then it is a read, and recorded.

So nobody sees by ``validate_only`` what they could not see unrecorded otherwise.
"""

from google.protobuf.message import Message

from libs.db.engine import Database
from libs.db.evidence import Evidence, recorded
from libs.rpc.stages.disclosure import discloses

VALIDATED = "VALIDATED"
"""The result of such a record: nothing was done."""
_STATEMENT = recorded()


async def answered(evidence: Evidence, database: Database, about: str, answer: Message) -> None:
    """Lets ``answer`` leave: as the caller's own, or on record as seen.

    Raises:
        Unavailable: AUDIT_UNAVAILABLE, nothing may be answered.
    """
    call = evidence.command.call
    if call is None:
        return
    if not discloses(call.method) or (call.actor.speaks_for and not call.actor.delegate):
        call.own()
        return
    evidence.record(about or str(getattr(answer, "name", "")), result=VALIDATED, record_count=1)
    await evidence.write(database, _STATEMENT)
