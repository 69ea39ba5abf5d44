"""One list of commands: CI, the hooks, the container and the documents name what `./run` does, and nothing beside it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from deploy.local import cli, own_settings
from deploy.local.regions import REGIONS

_ROOT = Path(__file__).resolve().parents[2]
_CALL = re.compile(r"(?<![\w/.])\./run ([a-z]+)")
_INSTALLS = re.compile(r"apt-get install((?: -\S+)*)((?: [a-z0-9][\w.+-]*)+)")
_PINNED = re.compile(r"^[\w./-]+@[0-9a-f]{40}$")


def _text(*parts: str) -> str:
    return _ROOT.joinpath(*parts).read_text(encoding="utf-8")


def usage() -> set[str]:
    """The commands that `./run` lists."""
    return set(re.findall(r"^\./run ([a-z]+)", _text("run"), re.MULTILINE))


def understood() -> set[str]:
    """The commands that `./run` takes: the labels of its second `case`."""
    labels = re.findall(r"^  ([a-z][a-z |]*)\)", _text("run").partition("\ninstall\ncase ")[2], re.MULTILINE)
    return {label for found in labels for label in found.split(" | ")}


def packages() -> set[str]:
    """Debian's packages that `./run` installs for tests."""
    return {name for found in re.findall(r"\|\| packages ([a-z -]+)", _text("run")) for name in found.split()}


def installed(command: str) -> set[str]:
    """Debian's packages that a command installs."""
    return {name for _, names in _INSTALLS.findall(command) for name in names.split()}


def uncommented(text: str) -> str:
    """JSON with comments and commas behind the last item, as devcontainer.json may have them, as plain JSON."""
    token = r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/'
    plain = re.sub(token, lambda found: found.group(1) or "", text, flags=re.DOTALL)
    return re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda found: found.group(1) or "", plain)


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    found = yaml.safe_load(_text(".github", "workflows", "ci.yml"))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.fixture(scope="module")
def hooks() -> list[dict[str, Any]]:
    repositories = yaml.safe_load(_text(".pre-commit-config.yaml"))["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"], "a hook is fetched from elsewhere"
    found: list[dict[str, Any]] = repositories[0]["hooks"]
    return found


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    found = json.loads(uncommented(_text(".devcontainer", "devcontainer.json")))
    assert isinstance(found, dict)
    return found


def test_run_lists_every_command_that_it_takes_and_no_other() -> None:
    assert understood() >= {"lock", "proto", "new", "mutate", "peers", "doctor", "purge"}
    assert usage() == understood()


def test_what_run_passes_on_is_what_the_command_line_has() -> None:
    group = typer.main.get_command(cli.app)
    passed = re.search(r'^  ([a-z |]+)\) exec "\$PYTHON" -m deploy\.local\.cli', _text("run"), re.MULTILINE)
    assert passed
    assert set(passed.group(1).split(" | ")) == set(getattr(group, "commands", {}))


@pytest.mark.parametrize("command", ["nothing", "purged", ""])
def test_an_unknown_command_shows_the_usage(command: str) -> None:
    done = subprocess.run((str(_ROOT / "run"), command), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith("./run demo")) == (2, True)


@pytest.mark.parametrize(
    "file",
    ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/testing.md", "docs/migrations.md", ".ci/run"]
    + [str(each.relative_to(_ROOT)) for each in sorted(_ROOT.glob("docs/runbooks/*.md"))],
)
def test_documents_name_only_commands_that_are_there(file: str) -> None:
    assert set(_CALL.findall(_text(file))) <= understood()


def test_what_must_pass_is_what_a_newcomer_is_told_to_run() -> None:
    told = re.search(r"`\./run (\w+)` and `\./run (\w+)` must pass", _text("CONTRIBUTING.md"))
    assert told
    lines = _text(".ci", "run").splitlines()
    assert [f"./run {command}" for command in told.groups()] == [line for line in lines if line.startswith("./run")][:2]


def test_ci_runs_that_and_has_no_list_of_its_own(steps: list[dict[str, Any]]) -> None:
    commands = [step["run"] for step in steps if "run" in step]
    *before, last = commands
    assert last == ".ci/run"
    assert all(command.startswith("sudo apt-get update") and installed(command) <= packages() for command in before)


def test_ci_takes_only_pinned_actions_and_few_rights(workflow: dict[Any, Any], steps: list[dict[str, Any]]) -> None:
    used = [step["uses"] for step in steps if "uses" in step]
    assert [each for each in used if not _PINNED.match(each)] == []
    named = re.findall(r"uses: (\S+) # v\d+\.\d+\.\d+$", _text(".github", "workflows", "ci.yml"), re.MULTILINE)
    assert named == used, "which version a commit is stands beside it"
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in workflow["jobs"].values())
    assert all(0 < job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    (checkout,) = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"] == {"persist-credentials": False}


def test_hooks_are_this_clones_own_commands(hooks: list[dict[str, Any]]) -> None:
    pinned = {line.partition("==")[0] for line in _text("requirements.lock").splitlines() if "==" in line}
    assert {"pre-commit", "pytest", "ruff"} <= pinned
    for hook in hooks:
        program, *arguments = hook["entry"].split()
        assert hook["language"] == "system"
        assert program == "./run" or program.removeprefix(".venv/bin/") in pinned | {"python"}, hook["entry"]
        assert program != "./run" or arguments[0] in understood()
        assert all((_ROOT / each).exists() for each in arguments if "/" in each)
    assert "`.venv/bin/pre-commit install`" in _text("CONTRIBUTING.md")


def test_pre_commit_itself_takes_the_configuration() -> None:
    command = (sys.executable, "-m", "pre_commit", "validate-config", str(_ROOT / ".pre-commit-config.yaml"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"a": "http://b" /* c, */, // d\n}', {"a": "http://b"}),
        ('{"a": [1, 2, ], "b": "x,}",}', {"a": [1, 2], "b": "x,}"}),
        ('{"a": "\\"// no comment"}', {"a": '"// no comment'}),
    ],
)
def test_comments_are_taken_away_and_strings_left(text: str, wanted: object) -> None:
    assert json.loads(uncommented(text)) == wanted


def test_the_container_is_pinned_and_holds_what_the_project_needs(container: dict[str, Any]) -> None:
    least = tomllib.loads(_text("pyproject.toml"))["project"]["requires-python"].removeprefix(">=")
    assert f"Python {least} or newer" in _text("README.md")
    assert re.fullmatch(rf"python:{re.escape(least)}\.\d+-bookworm", container["image"])
    assert [each for each in container["features"] if not re.search(r":\d+\.\d+\.\d+$", each)] == []
    assert installed(container["onCreateCommand"]) == packages()
    assert container["forwardPorts"] == [own_settings.OwnSettings().port(region.id) for region in REGIONS]


def test_the_container_is_made_ready_by_commands_of_the_documents(container: dict[str, Any]) -> None:
    for command in container["postCreateCommand"].split(" && "):
        assert f"`{command}`" in _text("README.md") + _text("CONTRIBUTING.md"), command


def test_ci_and_the_container_have_the_same_java_go_and_node(
    steps: list[dict[str, Any]], container: dict[str, Any]
) -> None:
    features = {name.rpartition("/")[2].partition(":")[0]: given for name, given in container["features"].items()}
    setups = {re.split("[-@]", step["uses"])[1]: step["with"] for step in steps if "/setup-" in step.get("uses", "")}
    for language, given in features.items():
        assert setups[language][f"{language}-version"] == given["version"]
    assert f"\ngo {features['go']['version']}\n" in _text("tests", "peers", "go", "go.mod")
    assert setups["python"]["python-version"] in container["image"]
