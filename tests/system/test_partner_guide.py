"""docs/guides/partner.md and tokens.md, typed as they stand: from nothing to a licence whose receipt holds; and what README shows in Python.

Then, in the same region to try things in: what status says of a double, a client that is there at once, and a reset that leaves nothing of it.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.demo.gateway import Gateway, Machine, request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from deploy.local.own_settings import FILE
from deploy.local.regions import LIUAN
from deploy.local.sandbox import CHANNEL_FILE, SANDBOX_FILE
from services.gateway.contracts import client_paths
from tests.support.client_keys import new_key, public_jwk
from tests.support.sandbox_region import ROOT, NewcomersDesk, newcomers_desk
from tests.support.town import reason_of
from tongban.identity.v1 import client_service_pb2, resources_pb2

GUIDE, README = ROOT / "docs" / "guides" / "partner.md", ROOT / "README.md"
TOKENS = GUIDE.with_name("tokens.md")
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewcomersDesk]:
    with newcomers_desk(tmp_path_factory.mktemp("desk")) as desk:
        settings = Path(desk.environment["TONGBAN_STATE"]) / FILE
        with settings.open("a", encoding="utf-8") as file:
            file.write("\n[services.identity.verifiers.bank_card]\ninsecure_double = true\n")
        yield desk


@pytest.mark.timeout(300)
def test_every_block_of_the_guide_runs(desk: NewcomersDesk) -> None:
    blocks = [each for page in (GUIDE, TOKENS) for each in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    assert len(blocks) > 8
    script = "\necho '== next'\n".join(blocks).replace("http://127.0.0.1:8080", desk.url)
    told = desk.run("bash", "-euo", "pipefail", "-c", script, timeout=280)
    tokens = ("Bearer", "urn:ietf:params:oauth:token-type:access_token")
    cases = ("CASE_STATE_DECIDED", "licenses/", "json.unknown_field", "STANDING_VALID", "CHECKING")
    for said in ("SERVING", *tokens, *cases):
        assert said in told, told
    assert "VALID" in told.partition("licenses/")[2], told
    assert _readme_in_python(desk).startswith("serviceItems/")


def _readme_in_python(desk: NewcomersDesk) -> str:
    """What the README's lines of Python print of the region that the guide began, by the client's own wheel."""
    (block,) = _PYTHON.findall(README.read_text(encoding="utf-8"))
    block = block.replace("http://127.0.0.1:8080", desk.url).replace(".tongban", desk.environment["TONGBAN_STATE"])
    with_wheel = replace(desk, environment=desk.environment | {"PYTHONPATH": str(client_paths()[0])})
    return with_wheel.run(".venv/bin/python", "-c", block)


def _folder(desk: NewcomersDesk) -> Path:
    return Path(desk.environment["TONGBAN_STATE"]) / LIUAN.id


@asynccontextmanager
async def _office(desk: NewcomersDesk) -> AsyncIterator[Office]:
    """The office that the sandbox was furnished with."""
    folder, gateway = _folder(desk), Gateway(LIUAN.id, LIUAN.name, desk.url, LIUAN.code)
    made = json.loads((folder / SANDBOX_FILE).read_text(encoding="utf-8"))
    admin, channel = (Machine.from_file(folder / name) for name in ("credentials.json", CHANNEL_FILE))
    yield Office(gateway, admin, channel, made["department"], made["department_name"], made["uscc"], made["staff"])
    await gateway.close()


async def _asked(office: Office, *scopes: str) -> tuple[Machine, resources_pb2.Client]:
    """A firm asks for a client, as its representative, with a key of its own."""
    registry, key = Registry(office, 651), new_key("trial-1")
    boss = await registry.person()
    firm = await registry.firm(boss)
    draft = resources_pb2.Client(
        display_name="试用系统",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=scopes,
        request_note="试用接口",
    )
    request = client_service_pb2.RequestClientRequest(client=draft, request_id=request_id())
    acting = office.gateway.using(await office.gateway.exchanged(await office.token_of_person(boss.name), firm.name))
    made = await acting.call(request, resources_pb2.Client)
    return Machine(made.name.removeprefix("clients/"), key), made


async def _first_calls(desk: NewcomersDesk) -> tuple[Machine, str]:
    """Asks, calls at once, and sees both calls counted; returns the key, and a token that holds."""
    async with _office(desk) as office:
        machine, made = await _asked(office, "identity.clients.get", "identity.departments.list")
        assert (made.state, made.environment) == (
            resources_pb2.CLIENT_STATE_ACTIVE,
            resources_pb2.CLIENT_ENVIRONMENT_SANDBOX,
        )
        mine = office.gateway.machine(machine)
        assert [each.name for each in (await mine.identity.list_departments()).departments] == [office.department]
        used = await mine.identity.get_usage(name=f"{made.name}/usage")
        assert (used.calls, used.refused_calls) == (2, 0)
        return machine, await mine.token()


async def _nothing_is_left(desk: NewcomersDesk, machine: Machine, token: str) -> None:
    """Neither the client nor a token of it means anything to the region that was made anew."""
    async with _office(desk) as office:
        assert await reason_of(office.gateway.machine(machine).token()) == "TOKEN_INVALID"
        told = office.gateway.using(token).identity.list_departments()
        assert await reason_of(told) == "TOKEN_INVALID"
        # Somebody else asks for a client as if it were the first day.
        again, made = await _asked(office, "identity.departments.list")
        assert (again.client_id != machine.client_id, made.state) == (True, resources_pb2.CLIENT_STATE_ACTIVE)


def _up(desk: NewcomersDesk) -> None:
    """Has the sandbox run, which the guide begins with."""
    if not (_folder(desk) / SANDBOX_FILE).exists():
        desk.run("./run", "up", "--detach", "--sandbox")


@pytest.mark.timeout(300)
def test_status_tells_what_passes_everybody(desk: NewcomersDesk) -> None:
    _up(desk)
    told = subprocess.run(
        ("./run", "status", "--json"),
        cwd=desk.folder,
        env=desk.environment,
        capture_output=True,
        check=False,
        timeout=120,
    )
    wrong = {(each["where"], each["what"]) for each in json.loads(told.stdout)["wrong"] if each["bad"]}
    assert (told.returncode, wrong) == (3, {("341500/identity", "verifiers/insecure-double-bank-card is insecure")})


@pytest.mark.timeout(600)
def test_a_client_is_there_at_once_and_a_reset_leaves_nothing_of_it(desk: NewcomersDesk) -> None:
    _up(desk)
    machine, token = asyncio.run(_first_calls(desk))
    before = (_folder(desk) / SANDBOX_FILE).read_bytes()
    desk.run("./run", "reset", "--yes")
    assert (_folder(desk) / SANDBOX_FILE).read_bytes() != before
    asyncio.run(_nothing_is_left(desk, machine, token))
