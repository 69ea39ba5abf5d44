"""What a region's people administer by the command line, over the gateway as any client does."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from deploy.local import call_cli, webhooks_cli
from deploy.local.launch import Cluster
from tests.support.regions import Regions

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Typist:
    """Types commands for one region."""

    def __init__(self, state: Path, region: str) -> None:
        self._where = ("--state", str(state), "--region", region)

    async def types(self, group: typer.Typer, *words: str, ends: int = 0) -> Any:
        """Returns what a command prints, as a program reads it."""
        done = await asyncio.to_thread(CliRunner().invoke, group, [*words, *self._where], env={"COLUMNS": "200"})
        assert done.exit_code == ends, done.output
        return json.loads(done.stderr if ends == 1 else done.stdout) if ends < 2 else done.output


@pytest.fixture
def typist(regions: Regions, running_cluster: tuple[Path, Cluster]) -> Typist:
    """Sits at the home region."""
    return Typist(running_cluster[0], regions.home.gateway.id)


async def test_staff_are_administered_by_calls(regions: Regions, typist: Typist) -> None:
    office = regions.home
    words = [f"parent={office.department}", "post.display_name=上岗证窗口", "post.duties=DUTY_RECEIVING"]
    once = f"request_id={uuid.uuid4()}"
    made = await typist.types(call_cli.app, "CreatePost", *words, once)
    assert await typist.types(call_cli.app, "StaffService.CreatePost", *words, once) == made, "a repeat makes no second"
    pages = await typist.types(call_cli.app, "ListPosts", f"parent={office.department}", "page_size=1", "--all")
    assert [each["name"] for page in pages for each in page["posts"]].count(made["name"]) == 1
    refused = await typist.types(call_cli.app, "GetPost", f"name={made['name'][:-4]}0000", ends=1)
    assert {each.get("reason") for each in refused["details"]} >= {"RESOURCE_NOT_FOUND"}


async def test_what_is_no_call_is_said(typist: Typist) -> None:
    for words, said in (
        (("ListPost",), "there is no ListPost"),
        (("GetPost", "title=x"), "it has name"),
        (("UploadMaterial",), "streams"),
        (("GetPost", "name=x", "--all"), "no pages"),
    ):
        assert said in " ".join((await typist.types(call_cli.app, *words, ends=2)).split())


async def test_dead_letters_are_looked_for(regions: Regions, typist: Typist) -> None:
    assert await typist.types(webhooks_cli.app, "dead", "--json") == []
    assert isinstance(await typist.types(webhooks_cli.app, "list", "--json"), list)
    nowhere = f"webhookDeliveries/{uuid.uuid4()}"
    refused = await typist.types(webhooks_cli.app, "resend", nowhere, ends=1)
    assert {each.get("reason") for each in refused["details"]} >= {"RESOURCE_NOT_FOUND"}
