"""What a sealing costs in statements: the same for one digest and for a hundred."""

from typing import Any

import pytest

from libs.db.statement import Statement
from tests.support.seal_office import SealOffice, digest_request, document_request
from tests.support.seals import ofd_document


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every statement since begins its work with."""
    texts: list[str] = []

    def watched(method: str) -> Any:
        run = getattr(Statement, method)

        async def noted(self: Statement, *args: Any) -> Any:
            texts.append(self.text)
            return await run(self, *args)

        return noted

    for method in ("first", "all", "execute"):
        monkeypatch.setattr(Statement, method, watched(method))
    return texts


async def test_a_sealing_takes_four_statements_however_much_it_signs(office: SealOffice, ran: list[str]) -> None:
    seal = await office.make()
    await office.seal_digests(digest_request(seal, [bytes(32)]))
    for hashes in ([bytes(32)], [bytes([number]) * 32 for number in range(100)]):
        ran.clear()
        await office.seal_digests(digest_request(seal, hashes))
        read, intent, outcome, answer = ran
        assert "nextval('sealing_numbers')" in read
        assert all(table in intent for table in ("sealing_batches", "sealings", "sealing_open", "audit_records"))
        assert all(table in outcome for table in ("sealing_outcomes", "sealing_open"))
        assert all(table in answer for table in ("idempotency", "outbox", "audit_records"))
    ran.clear()
    await office.seal_document(document_request(seal, ofd_document()))
    assert len(ran) == 4
