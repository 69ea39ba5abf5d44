"""A population register that is not ours, and a region that asks it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.config import HttpConfig
from services.identity.config import PopulationRegister
from services.identity.oauth.server import HttpServer
from tests.support.backends import HOST, free_port
from tests.support.service import Ground
from tests.support.town import Town, town
from tongban.identity.v1 import resources_pb2

NAME, NUMBER = "测试甲", "11010519491231002X"


@dataclass
class Population:
    """A register that knows ``numbers``, whoever is named with them; ``broken`` answers nonsense."""

    asked: list[dict[str, str]] = field(default_factory=list)
    numbers: set[str] = field(default_factory=lambda: {NUMBER})
    broken: bool = False

    async def match(self, request: Request) -> Response:
        """Answers as the interface says."""
        body = json.loads(await request.body())
        self.asked.append(body)
        if self.broken:
            return Response("busy", 503)
        return JSONResponse({"match": body["document_number"] in self.numbers})


@dataclass(frozen=True)
class Checked:
    """A region and its register."""

    town: Town
    register: Population


def _token_file(folder: Path) -> Path:
    file = folder / "register.token"
    file.write_text("geheim", encoding="utf-8")
    return file


@asynccontextmanager
async def registered(ground: Ground, folder: Path) -> AsyncIterator[Checked]:
    """Runs a region with a population register, and a clerk who receives."""
    register, port = Population(), free_port()
    app = Starlette(routes=[Route("/match", register.match, methods=["POST"])])
    serving = asyncio.ensure_future(HttpServer(app, HttpConfig(host=HOST, port=port)).run())
    section = PopulationRegister(url=f"http://{HOST}:{port}/match", token_file=_token_file(folder))
    async with town(ground, folder, population_register=section) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        yield Checked(found, register)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
