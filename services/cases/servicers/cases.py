"""CaseService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.acceptance import Acceptance
from services.cases.usecases.drafts import Drafts
from services.cases.usecases.handling import Handling
from services.cases.usecases.license_failures import LicenseFailures
from services.cases.usecases.reading import Cases
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import resources_pb2 as pb
from tongban.cases.v1.case_service_pb2_grpc import CaseServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class CaseServicer(CaseServiceServicer):
    """Serves ``tongban.cases.v1.CaseService``."""

    def __init__(
        self, drafts: Drafts, acceptance: Acceptance, handling: Handling, failures: LicenseFailures, cases: Cases
    ) -> None:
        self._drafts = drafts
        self._failures = failures
        self._acceptance = acceptance
        self._handling = handling
        self._cases = cases

    async def CreateCase(self, request: rpc.CreateCaseRequest, context: Context) -> pb.Case:
        """Opens a draft."""
        return await self._drafts.create(command_of(request), request)

    async def SubmitCase(self, request: rpc.SubmitCaseRequest, context: Context) -> pb.Case:
        """Submits a draft."""
        return await self._drafts.submit(command_of(request), request)

    async def RequestCorrection(self, request: rpc.RequestCorrectionRequest, context: Context) -> pb.Case:
        """Asks for correction."""
        return await self._acceptance.request_correction(command_of(request), request)

    async def SubmitCorrection(self, request: rpc.SubmitCorrectionRequest, context: Context) -> pb.Case:
        """Answers a correction."""
        return await self._drafts.correct(command_of(request), request)

    async def AcceptCase(self, request: rpc.AcceptCaseRequest, context: Context) -> pb.Case:
        """Accepts a case."""
        return await self._acceptance.accept(command_of(request), request)

    async def AcceptCaseWithTolerance(self, request: rpc.AcceptCaseWithToleranceRequest, context: Context) -> pb.Case:
        """Accepts a case with tolerance."""
        return await self._acceptance.accept_with_tolerance(command_of(request), request)

    async def DeclineCase(self, request: rpc.DeclineCaseRequest, context: Context) -> pb.Case:
        """Declines a case."""
        return await self._acceptance.decline(command_of(request), request)

    async def StartReview(self, request: rpc.StartReviewRequest, context: Context) -> pb.Case:
        """Takes a case under review."""
        return await self._handling.start_review(command_of(request), request)

    async def SuspendCase(self, request: rpc.SuspendCaseRequest, context: Context) -> pb.Case:
        """Stops the clock."""
        return await self._handling.suspend(command_of(request), request)

    async def ResumeCase(self, request: rpc.ResumeCaseRequest, context: Context) -> pb.Case:
        """Sets the clock going again."""
        return await self._handling.resume(command_of(request), request)

    async def ExtendCase(self, request: rpc.ExtendCaseRequest, context: Context) -> pb.Case:
        """Extends the limit."""
        return await self._handling.extend(command_of(request), request)

    async def DecideCase(self, request: rpc.DecideCaseRequest, context: Context) -> pb.Case:
        """Decides a case."""
        return await self._handling.decide(command_of(request), request)

    async def RedecideCase(self, request: rpc.RedecideCaseRequest, context: Context) -> pb.Case:
        """Decides a case anew whose licence could not be issued."""
        return await self._failures.redecide(command_of(request), request)

    async def CloseCase(self, request: rpc.CloseCaseRequest, context: Context) -> pb.Case:
        """Closes a case."""
        return await self._handling.close(command_of(request), request)

    async def WithdrawCase(self, request: rpc.WithdrawCaseRequest, context: Context) -> pb.Case:
        """Withdraws a case."""
        return await self._drafts.withdraw(command_of(request), request)

    async def TerminateCase(self, request: rpc.TerminateCaseRequest, context: Context) -> pb.Case:
        """Ends a case without a decision."""
        return await self._handling.terminate(command_of(request), request)

    async def GetCase(self, request: rpc.GetCaseRequest, context: Context) -> pb.Case:
        """Gets a case."""
        return await self._cases.get(request)

    async def ListCases(self, request: rpc.ListCasesRequest, context: Context) -> rpc.ListCasesResponse:
        """Lists cases."""
        return await self._cases.list(request)

    async def LookupCaseByNumber(self, request: rpc.LookupCaseByNumberRequest, context: Context) -> pb.Case:
        """Finds a case by its number."""
        return await self._cases.lookup(request)

    async def ListCaseHistory(
        self, request: rpc.ListCaseHistoryRequest, context: Context
    ) -> rpc.ListCaseHistoryResponse:
        """Lists the steps of a case."""
        return await self._cases.history(request)

    async def GetClock(self, request: rpc.GetClockRequest, context: Context) -> pb.Clock:
        """Gets the clock of a case."""
        return await self._cases.clock(request)
