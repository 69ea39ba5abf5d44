"""Which basis counts where a use names a presentation."""

from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from libs.access.actor import ANONYMOUS
from libs.access.context import stated
from libs.errors import PermissionDenied
from services.license.core.authorization import CHECKED, Inquiry, UseAuthorization
from services.license.core.lifecycle import LicenseState
from services.license.core.reading import Reader, UseBasis
from services.license.presentations.rules import redeem
from tests.unit.license.core.test_use_rules import ACTIVE, CASE, FACTS, NOW, VERIFIER
from tongban.common.v1 import common_pb2

ISSUER = Reader("341500", department="departments/1")
WANTED: Any = Mock(state=LicenseState.ISSUED, issuer_department="departments/1", facts=lambda _: FACTS)


def _asked(reader: Reader, **basis: str) -> Inquiry:
    said = common_pb2.UseContext(purpose_code="LICENSE_CHECK", case=CASE, **basis)
    return Inquiry(ANONYMOUS, reader, stated(ANONYMOUS, said, "341500", *CHECKED))


def _authorization(*consents: bool) -> UseAuthorization:
    shown: Any = Mock(get=AsyncMock(return_value=redeem(ACTIVE, VERIFIER, CASE, NOW)))
    clock: Any = Mock(now=lambda: NOW)
    identity: Any = Mock(consents=AsyncMock(side_effect=consents))
    return UseAuthorization(shown, Mock(), identity, clock, "341500")


async def test_a_use_counts_under_the_presentation_that_it_names() -> None:
    allowed = await _authorization().allow(_asked(VERIFIER, presentation="presentations/1"), WANTED)
    assert (allowed.basis, allowed.presentation, allowed.item_code) == (
        UseBasis.PRESENTATION,
        "presentations/1",
        "item-1",
    )


async def test_a_named_presentation_must_hold_even_for_the_issuer() -> None:
    """The issuer may read without one: naming it says under what the use counts, so it is no ornament."""
    assert (await _authorization().allow(_asked(ISSUER), WANTED)).basis is UseBasis.ISSUER
    with pytest.raises(PermissionDenied):
        await _authorization().allow(_asked(ISSUER, presentation="presentations/1"), WANTED)


@pytest.mark.parametrize("held", [True, False])
async def test_a_use_counts_under_the_consent_that_it_names_and_identity_says_whether_that_covers_it(
    held: bool,
) -> None:
    authorization = _authorization(held)
    allowing = authorization.allow(_asked(VERIFIER, consent="consents/1"), WANTED)
    if held:
        assert (await allowing).basis is UseBasis.CONSENT
    else:
        with pytest.raises(PermissionDenied) as error:
            await allowing
        assert error.value.metadata["rule"] == "consent"
    ((consent, use), _) = authorization.identity.consents.call_args  # type: ignore[attr-defined]
    assert (consent, use.subject, use.recipient) == ("consents/1", "organizations/5", "//320402/departments/9")
    assert (list(use.resources), use.context.purpose_code) == ([FACTS.name], "LICENSE_CHECK")


async def test_another_regions_consent_is_none_for_what_lies_here() -> None:
    authorization = _authorization()
    with pytest.raises(PermissionDenied) as error:
        await authorization.allow(_asked(ISSUER, consent="//320402/consents/1"), WANTED)
    assert error.value.metadata["rule"] == "consent"
