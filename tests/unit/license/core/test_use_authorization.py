"""Which basis counts where a use names a presentation."""

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from libs.access.actor import ANONYMOUS
from libs.access.context import stated
from libs.errors import PermissionDenied
from services.license.core.authorization import Inquiry, UseAuthorization
from services.license.core.lifecycle import LicenseState
from services.license.core.reading import Reader, UseBasis
from services.license.presentations.rules import redeem
from tests.unit.license.core.test_use_rules import ACTIVE, CASE, FACTS, NOW, VERIFIER
from tongban.common.v1 import common_pb2

ISSUER = Reader("341500", department="departments/1")
WANTED: Any = Mock(state=LicenseState.ISSUED, issuer_department="departments/1", facts=lambda _: FACTS)


def _asked(reader: Reader) -> Inquiry:
    return Inquiry(ANONYMOUS, reader, stated(ANONYMOUS, common_pb2.UseContext(case=CASE), "341500"))


def _authorization() -> UseAuthorization:
    shown: Any = Mock(get=AsyncMock(return_value=redeem(ACTIVE, VERIFIER, CASE, NOW)))
    clock: Any = Mock(now=lambda: NOW)
    return UseAuthorization(shown, Mock(), clock, "341500")


async def test_a_use_counts_under_the_presentation_that_it_names() -> None:
    allowed = await _authorization().allow(_asked(VERIFIER), WANTED, "presentations/1")
    assert (allowed.basis, allowed.presentation, allowed.item_code) == (
        UseBasis.PRESENTATION,
        "presentations/1",
        "item-1",
    )


async def test_a_named_presentation_must_hold_even_for_the_issuer() -> None:
    """The issuer may read without one: naming it says under what the use counts, so it is no ornament."""
    assert (await _authorization().allow(_asked(ISSUER), WANTED, "")).basis is UseBasis.ISSUER
    with pytest.raises(PermissionDenied):
        await _authorization().allow(_asked(ISSUER), WANTED, "presentations/1")
