"""This region's records for the thread that validates: it asks the database through the event loop."""

import asyncio
import re
from concurrent.futures import TimeoutError as FutureTimeout

from libs.crypto.sm3 import sm3
from libs.errors import TongbanError
from services.seal.core.ses import ParsedSeal, ParsedSignature
from services.seal.validation.registered import RegisteredSeal
from services.seal.validation.steps import RecordsUnreachable
from services.seal.validation.store import SealRegister

_OUR_SEAL_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ANSWER_SECONDS = 5.0


class RegionRecords:
    """This region's records for one validation."""

    def __init__(self, register: SealRegister, loop: asyncio.AbstractEventLoop) -> None:
        self._register = register
        self._loop = loop
        self._is_away = False

    def find(self, seal: ParsedSeal, signature: ParsedSignature | None) -> tuple[RegisteredSeal, bool] | None:
        """Reads the seal that is registered under the same esID, and looks for this use of it, in one query."""
        if not _OUR_SEAL_ID.fullmatch(seal.seal_id):
            return None
        if self._is_away:
            # Once is enough: a document may hold fifty seals, and each would wait as long.
            raise RecordsUnreachable
        digest, value = (sm3(signature.tbs_raw), signature.signature) if signature else (b"", b"")
        question = self._register.find(seal.seal_id, digest, value)
        asked = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            known = asked.result(_ANSWER_SECONDS)
        except (TongbanError, FutureTimeout) as error:
            asked.cancel()
            self._is_away = True
            raise RecordsUnreachable from error
        if known is None:
            return None
        return RegisteredSeal(known.structure, known.state, known.make_time, known.revoke_time), known.is_recorded
