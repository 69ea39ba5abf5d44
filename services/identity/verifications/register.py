"""The source of truth for names and document numbers (人口库): any register behind one small HTTP interface.

National and provincial registers differ; an adapter of the region's own speaks theirs and offers this: ``POST`` of
``{"full_name": …, "document_type": …, "document_number": …}`` is answered by 200 and ``{"match": true | false}``. The name comes
in the one way of writing that all ways have in common (``libs.names.key``; docs/glossary.md).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import grpc
import httpx

from services.identity.config import PopulationRegister
from services.identity.verifications.population import NoPopulationTable, PopulationTable
from services.identity.verifications.shared import SharedRegister, away


class Register(Protocol):
    """Tells whether a name and a document number belong together.

    Attributes:
        name: who vouches, as verifications say it: ``verifiers/…``.
    """

    name: str

    async def matches(self, full_name: str, document_type: str, document_number: str) -> bool:
        """Asks the register; raises Unavailable DEPENDENCY_UNAVAILABLE where it does not answer."""
        ...


class NoRegister:
    """Stands where none is configured: nothing can be compared."""

    name = "verifiers/none"

    async def matches(self, full_name: str, document_type: str, document_number: str) -> bool:  # noqa: ARG002 - the interface's
        """Raises Unavailable DEPENDENCY_UNAVAILABLE."""
        raise away()

    async def close(self) -> None:
        """There is nothing to close."""


class HttpRegister:
    """A register behind HTTP."""

    name = "verifiers/register"

    def __init__(self, config: PopulationRegister) -> None:
        token = config.token_file.read_text(encoding="utf-8").strip() if config.token_file else ""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._url = config.url
        self._client = httpx.AsyncClient(timeout=config.seconds, headers=headers, trust_env=False)

    async def matches(self, full_name: str, document_type: str, document_number: str) -> bool:
        """Asks the register; raises Unavailable DEPENDENCY_UNAVAILABLE where it does not answer."""
        body = {"full_name": full_name, "document_type": document_type, "document_number": document_number}
        try:
            answer = await self._client.post(self._url, json=body)
            answer.raise_for_status()
            match = answer.json()["match"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise away() from error
        if not isinstance(match, bool):
            raise away()
        return match

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


class TableRegister:
    """The operator's own list, as a table of keyed digests (services/identity/verifications/population.py)."""

    name = "verifiers/population-table"

    def __init__(self, table: Path, key_file: Path) -> None:
        self._table = PopulationTable(table, key_file.read_bytes())

    async def matches(self, full_name: str, document_type: str, document_number: str) -> bool:
        """Looks it up; raises Unavailable DEPENDENCY_UNAVAILABLE where the table is gone or is none."""
        try:
            return self._table.has(full_name, document_type, document_number)
        except (OSError, NoPopulationTable) as error:
            raise away() from error

    async def close(self) -> None:
        """Lets go of the table."""
        self._table.close()


def register_of(
    section: PopulationRegister | None, sharing: Callable[[], grpc.aio.Channel]
) -> HttpRegister | TableRegister | SharedRegister | NoRegister:
    """Returns the register that is configured; ``sharing`` opens the channel to the sharing service."""
    if section is None:
        return NoRegister()
    if section.sharing is not None:
        return SharedRegister(section.sharing, sharing)
    if section.table is not None and section.key_file is not None:
        return TableRegister(section.table, section.key_file)
    return HttpRegister(section)
