"""Verifiers that a person takes part in (人脸核验, 银行卡核验): whatever recognises faces or asks banks, behind one small HTTP interface.

docs/guides/real-names.md tells the interface as its implementer reads it. ``POST <url>/checks`` with ``{"id", "method", "full_name",
"document_type", "document_number"}`` starts a check and is answered by ``{"reference", "uri"}``; ``POST <url>/results`` with
``{"reference"}`` is answered by ``{"state": "PENDING" | "PASSED" | "FAILED"}``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Protocol, TypeVar

import httpx
from pydantic import BaseModel, Field, HttpUrl

from libs.errors import Unavailable, reasons
from libs.observability import metrics
from libs.observability.logs import logger
from services.identity.config import Verifiers, VerifierSection
from services.identity.core.assurance import VerificationMethod

_log = logger(__name__)


class CheckState(StrEnum):
    """What a verifier says of a check."""

    PENDING = "PENDING"
    PASSED = "PASSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class AskedCheck:
    """What a verifier is told: the account's name and document, and an id by which it may know a repeat."""

    id: str
    method: VerificationMethod
    full_name: str
    document_type: str
    document_number: str


@dataclass(frozen=True, slots=True)
class StartedCheck:
    """What a verifier calls a check, and the page at which the person takes part in it."""

    reference: str
    uri: str


class _CheckPage(BaseModel):
    reference: Annotated[str, Field(min_length=1, max_length=200)]
    uri: HttpUrl


class _CheckResult(BaseModel):
    state: CheckState


_Form = TypeVar("_Form", _CheckPage, _CheckResult)


class Verifier(Protocol):
    """Checks real names with the person's help.

    Attributes:
        name: who vouches, as verifications say it: ``verifiers/…``.
    """

    name: str

    async def start(self, asked: AskedCheck) -> StartedCheck:
        """Starts a check; raises Unavailable DEPENDENCY_UNAVAILABLE where the verifier does not answer."""
        ...

    async def result(self, reference: str) -> CheckState:
        """Tells what came of a check; raises Unavailable DEPENDENCY_UNAVAILABLE where the verifier does not answer."""
        ...

    async def close(self) -> None:
        """Lets go of what it holds."""
        ...


def _away() -> Unavailable:
    return reasons.dependency_unavailable("the verifier does not answer", retry_after=5.0, dependency="verifier")


class NoVerifier:
    """Stands where none is configured: nothing can be checked."""

    name = "verifiers/none"

    async def start(self, _asked: AskedCheck) -> StartedCheck:
        """Raises Unavailable DEPENDENCY_UNAVAILABLE."""
        raise _away()

    async def result(self, _reference: str) -> CheckState:
        """Raises Unavailable DEPENDENCY_UNAVAILABLE."""
        raise _away()

    async def close(self) -> None:
        """There is nothing to close."""


class HttpVerifier:
    """A verifier behind HTTP."""

    def __init__(self, name: str, section: VerifierSection) -> None:
        token = section.token_file.read_text(encoding="utf-8").strip() if section.token_file else ""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.name = f"verifiers/{name}"
        self._url = section.url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=section.seconds, headers=headers, trust_env=False)

    async def start(self, asked: AskedCheck) -> StartedCheck:
        """Starts a check; raises Unavailable DEPENDENCY_UNAVAILABLE where the verifier does not answer as it should."""
        body = {
            "id": asked.id,
            "method": asked.method.value,
            "full_name": asked.full_name,
            "document_type": asked.document_type,
            "document_number": asked.document_number,
        }
        found = await self._asked("checks", body, _CheckPage)
        return StartedCheck(found.reference, str(found.uri))

    async def result(self, reference: str) -> CheckState:
        """Tells what came of a check; raises Unavailable DEPENDENCY_UNAVAILABLE where the verifier does not answer as it should."""
        return (await self._asked("results", {"reference": reference}, _CheckResult)).state

    async def _asked(self, what: str, body: dict[str, str], form: type[_Form]) -> _Form:
        try:
            answer = await self._client.post(f"{self._url}/{what}", json=body)
            answer.raise_for_status()
            return form.model_validate_json(answer.content)
        except (httpx.HTTPError, ValueError) as error:
            raise _away() from error

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


class InsecureDouble:
    """Passes whoever asks: for trying the way of a check out, and nothing else. Logs, metrics and ``status`` say that it is there."""

    def __init__(self, name: str) -> None:
        self.name = f"verifiers/insecure-double-{name}"
        self._tell()

    async def start(self, asked: AskedCheck) -> StartedCheck:
        """Starts a check that will pass."""
        self._tell()
        return StartedCheck(asked.id, f"https://verifier.invalid/{asked.id}")

    async def result(self, _reference: str) -> CheckState:
        """Says that it passed."""
        self._tell()
        return CheckState.PASSED

    def _tell(self) -> None:
        metrics.INSECURE.labels(what=self.name).set(1)
        _log.warning("insecure: this verifier passes everybody", verifier=self.name)

    async def close(self) -> None:
        """There is nothing to close."""


def verifiers_of(sections: Verifiers) -> dict[VerificationMethod, Verifier]:
    """Returns the verifiers that are configured."""
    return {
        VerificationMethod.FACE: _verifier("face", sections.face),
        VerificationMethod.BANK_CARD: _verifier("bank-card", sections.bank_card),
    }


def _verifier(name: str, section: VerifierSection | None) -> Verifier:
    if section is None:
        return NoVerifier()
    return InsecureDouble(name) if section.insecure_double else HttpVerifier(name, section)
