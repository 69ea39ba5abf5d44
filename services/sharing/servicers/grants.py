"""GrantService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.sharing.usecases.grants import Grants
from services.sharing.usecases.requests import Requests
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as resources
from tongban.sharing.v1.grant_service_pb2_grpc import GrantServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class GrantServicer(GrantServiceServicer):
    """Serves ``tongban.sharing.v1.GrantService``."""

    def __init__(self, requests: Requests, grants: Grants) -> None:
        self._requests = requests
        self._grants = grants

    async def CreateRequest(self, request: pb.CreateRequestRequest, context: Context) -> resources.SharingRequest:
        """Drafts a request."""
        return await self._requests.create(request)

    async def GetRequest(self, request: pb.GetRequestRequest, context: Context) -> resources.SharingRequest:
        """Gets a request."""
        return await self._requests.get(request)

    async def ListRequests(self, request: pb.ListRequestsRequest, context: Context) -> pb.ListRequestsResponse:
        """Lists requests."""
        return await self._requests.list(request)

    async def SubmitRequest(self, request: pb.SubmitRequestRequest, context: Context) -> resources.SharingRequest:
        """Hands a draft in."""
        return await self._requests.submit(request)

    async def PreReviewRequest(self, request: pb.PreReviewRequestRequest, context: Context) -> resources.SharingRequest:
        """Consents for the applicant's side."""
        return await self._requests.pre_review(request)

    async def ReviewRequest(self, request: pb.ReviewRequestRequest, context: Context) -> resources.SharingRequest:
        """Takes a request into review."""
        return await self._requests.review(request)

    async def ApproveRequest(self, request: pb.ApproveRequestRequest, context: Context) -> resources.SharingRequest:
        """Consents and makes the grant."""
        return await self._requests.approve(request)

    async def RefuseRequest(self, request: pb.RefuseRequestRequest, context: Context) -> resources.SharingRequest:
        """Refuses a request."""
        return await self._requests.refuse(request)

    async def GetGrant(self, request: pb.GetGrantRequest, context: Context) -> resources.Grant:
        """Gets a grant."""
        return await self._grants.get(request)

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Context) -> pb.ListGrantsResponse:
        """Lists grants."""
        return await self._grants.list(request)
