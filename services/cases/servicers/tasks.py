"""TaskService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.queues import Tasks
from tongban.cases.v1 import task_service_pb2 as pb
from tongban.cases.v1.task_service_pb2_grpc import TaskServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class TaskServicer(TaskServiceServicer):
    """Serves ``tongban.cases.v1.TaskService``."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def ListTasks(self, request: pb.ListTasksRequest, context: Context) -> pb.ListTasksResponse:
        """Lists tasks."""
        return await self._tasks.list(request)

    async def ClaimTask(self, request: pb.ClaimTaskRequest, context: Context) -> pb.Task:
        """Takes a task."""
        return await self._tasks.claim(command_of(request), request)
