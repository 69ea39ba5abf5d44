"""ExchangeService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.answers import Answers
from services.cases.usecases.incoming import Incoming
from services.cases.usecases.outgoing import Outgoing
from services.cases.usecases.withdrawal import Withdrawal
from tongban.cases.v1 import exchange_service_pb2 as pb
from tongban.cases.v1.exchange_service_pb2_grpc import ExchangeServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ExchangeServicer(ExchangeServiceServicer):
    """Serves ``tongban.cases.v1.ExchangeService``."""

    def __init__(self, outgoing: Outgoing, withdrawal: Withdrawal, incoming: Incoming, answers: Answers) -> None:
        self._outgoing = outgoing
        self._withdrawal = withdrawal
        self._incoming = incoming
        self._answers = answers

    async def SendTransfer(self, request: pb.SendTransferRequest, context: Context) -> pb.Transfer:
        """Sends an application to another region."""
        return await self._outgoing.send(command_of(request), request)

    async def SendCorrection(self, request: pb.SendCorrectionRequest, context: Context) -> pb.Transfer:
        """Sends the answer to a correction."""
        return await self._outgoing.correct(command_of(request), request)

    async def WithdrawTransfer(self, request: pb.WithdrawTransferRequest, context: Context) -> pb.Transfer:
        """Takes an application back."""
        return await self._withdrawal.withdraw(command_of(request), request)

    async def GetTransfer(self, request: pb.GetTransferRequest, context: Context) -> pb.Transfer:
        """Gets a transfer."""
        return await self._outgoing.get(request)

    async def ListTransfers(self, request: pb.ListTransfersRequest, context: Context) -> pb.ListTransfersResponse:
        """Lists transfers."""
        return await self._outgoing.list(request)

    async def ReceiveTransfer(self, request: pb.ReceiveTransferRequest, context: Context) -> pb.TransferReceipt:
        """Takes a message of the receiving region."""
        return await self._incoming.receive(command_of(request), request.message)

    async def AcknowledgeTransfer(self, request: pb.AcknowledgeTransferRequest, context: Context) -> pb.TransferReceipt:
        """Takes an acknowledgement."""
        return await self._answers.acknowledge(command_of(request), request)

    async def PushProgress(self, request: pb.PushProgressRequest, context: Context) -> pb.TransferReceipt:
        """Takes progress or a result."""
        return await self._answers.push(command_of(request), request.message)
