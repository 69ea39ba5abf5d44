"""A department's register that is reached through data sharing: each question is a use under its grant, counted and recorded there."""

from collections.abc import Callable

import grpc

from libs.errors import TongbanError, Unavailable, reasons
from libs.observability.logs import logger
from libs.rpc.client import invoke
from services.identity.config import SharedRegisterSection
from tongban.common.v1 import common_pb2, value_pb2
from tongban.sharing.v1 import data_service_pb2 as pb
from tongban.sharing.v1 import data_service_pb2_grpc

_log = logger(__name__)
_PURPOSE = "IDENTITY_CHECK"


def away() -> Unavailable:
    """What is told where a register does not answer, whatever the reason."""
    return reasons.dependency_unavailable(
        "the population register does not answer", retry_after=5.0, dependency="register"
    )


class SharedRegister:
    """A table of a department's, here or in another region, that sharing compares with."""

    name = "verifiers/data-sharing"

    def __init__(self, section: SharedRegisterSection, sharing: Callable[[], grpc.aio.Channel]) -> None:
        """``sharing`` opens the channel to the sharing service."""
        self._section, self._sharing = section, sharing

    async def matches(self, full_name: str, document_type: str, document_number: str) -> bool:
        """Asks sharing whether the table has the name beside the number.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE where it is away, or where it refuses: the log then says why.
        """
        section = self._section
        keys = {section.number_field: document_number}
        if section.type_field:
            keys[section.type_field] = document_type
        request = pb.CompareRequest(
            resource=section.resource,
            conditions=[pb.KeyCondition(field=field, values=[_text(value)]) for field, value in keys.items()],
            given=[pb.GivenValue(field=section.name_field, value=_text(full_name))],
            use_context=common_pb2.UseContext(purpose_code=_PURPOSE, department=section.department),
        )
        try:
            stub = data_service_pb2_grpc.DataServiceStub(self._sharing())
            answer = await invoke(stub.Compare, request, pb.CompareResponse, to="sharing", token="")
        except TongbanError as error:
            _log.warning("population_register_refused", reason=error.reason, resource=section.resource)
            raise away() from error
        return [each.outcome for each in answer.comparisons] == [pb.COMPARE_OUTCOME_MATCH]

    async def close(self) -> None:
        """There is nothing to close: the channel is the process's."""


def _text(value: str) -> value_pb2.Value:
    return value_pb2.Value(string_value=value)
