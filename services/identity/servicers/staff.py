"""StaffService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.departments import Departments
from services.identity.usecases.posts import PostHolders
from services.identity.usecases.staff import StaffMembers
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import staff_service_pb2 as pb
from tongban.identity.v1.staff_service_pb2_grpc import StaffServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class StaffServicer(StaffServiceServicer):
    """Serves ``tongban.identity.v1.StaffService``."""

    def __init__(self, departments: Departments, members: StaffMembers, posts: PostHolders) -> None:
        self._departments = departments
        self._members = members
        self._posts = posts

    async def CreateDepartment(self, request: pb.CreateDepartmentRequest, context: Context) -> resources.Department:
        """Makes a department."""
        return await self._departments.create(command_of(request), request.department)

    async def GetDepartment(self, request: pb.GetDepartmentRequest, context: Context) -> resources.Department:
        """Gets a department."""
        return await self._departments.get(request.name)

    async def ListDepartments(self, request: pb.ListDepartmentsRequest, context: Context) -> pb.ListDepartmentsResponse:
        """Lists departments."""
        return await self._departments.list(request)

    async def CreatePost(self, request: pb.CreatePostRequest, context: Context) -> resources.Post:
        """Makes a post."""
        return await self._departments.create_post(command_of(request), request.parent, request.post)

    async def GetPost(self, request: pb.GetPostRequest, context: Context) -> resources.Post:
        """Gets a post."""
        return await self._departments.get_post(request.name)

    async def ListPosts(self, request: pb.ListPostsRequest, context: Context) -> pb.ListPostsResponse:
        """Lists the posts of a department."""
        return await self._departments.list_posts(request)

    async def CreateStaff(self, request: pb.CreateStaffRequest, context: Context) -> resources.Staff:
        """Enters a member of staff."""
        return await self._members.create(command_of(request), request.staff)

    async def GetStaff(self, request: pb.GetStaffRequest, context: Context) -> resources.Staff:
        """Gets a member of staff."""
        return await self._members.get(request)

    async def ListStaff(self, request: pb.ListStaffRequest, context: Context) -> pb.ListStaffResponse:
        """Lists staff."""
        return await self._members.list(request)

    async def AssignStaff(self, request: pb.AssignStaffRequest, context: Context) -> resources.Staff:
        """Assigns a post."""
        return await self._posts.assign(command_of(request), request)

    async def ApproveStaff(self, request: pb.ApproveStaffRequest, context: Context) -> resources.Staff:
        """Stands behind the assignment of a post."""
        return await self._posts.approve(command_of(request), request)

    async def UnassignStaff(self, request: pb.UnassignStaffRequest, context: Context) -> resources.Staff:
        """Takes a post away."""
        return await self._posts.unassign(command_of(request), request)
