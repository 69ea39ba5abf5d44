"""Fills the templates, and puts what they make where it belongs."""

import re
from pathlib import Path
from string import Template

from deploy.scaffold.names import BadName, FeatureNames

TEMPLATES = Path(__file__).parent / "templates"


def filled(template: str, names: FeatureNames, **more: str) -> str:
    """Returns a template with the names put in."""
    text = TEMPLATES.joinpath(f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(names.values | more)


def feature(root: Path, names: FeatureNames) -> list[Path]:
    """Writes a feature that gets one resource by its name; returns the files that were written or changed."""
    service = root / "services" / names.service
    app = service / "app.py"
    if not app.exists():
        raise BadName(f"{names.service} is no service: there is no {app.relative_to(root)}")
    if (service / names.feature).exists():
        raise BadName(f"{names.service}/{names.feature} stands already")
    revision, before = _revisions(service / "migrations" / "versions")
    made = {
        _proto(root, names): filled("proto", names),
        service / names.feature / "__init__.py": "",
        **{
            service / names.feature / f"{part}.py": filled(part, names) for part in ("api", "rules", "store", "convert")
        },
        service / "migrations" / "versions" / f"{revision}_{names.feature}.py": filled(
            "migration", names, revision=revision, before=before
        ),
        _unit_test(root, names): filled("unit_test", names),
        _service_test(root, names): filled("service_test", names),
    }
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _served(app, names)
    return [*made, app]


def rpc(root: Path, names: FeatureNames) -> list[Path]:
    """Adds an RPC that changes a resource of a feature; returns the files that were changed."""
    folder = root / "services" / names.service / names.feature
    if not folder.exists():
        raise BadName(
            f"{names.service}/{names.feature} does not stand yet: ./run new feature {names.service}/{names.feature}"
        )
    proto, api, rules = _proto(root, names), folder / "api.py", folder / "rules.py"
    if f"rpc {names.rpc}(" in proto.read_text(encoding="utf-8"):
        raise BadName(f"{names.rpc} stands already")
    _insert(proto, "\n}\n", "\n" + filled("proto_rpc", names))
    _append(proto, filled("proto_request", names))
    _insert(api, None, filled("api_rpc", names))
    _append(rules, filled("rules_rpc", names))
    _append(_unit_test(root, names), filled("unit_test_rpc", names))
    _append(_service_test(root, names), filled("service_test_rpc", names))
    return [proto, api, rules, _unit_test(root, names), _service_test(root, names)]


def _proto(root: Path, names: FeatureNames) -> Path:
    return root / "proto" / "tongban" / names.service / "v1" / f"{names.one}_service.proto"


def _unit_test(root: Path, names: FeatureNames) -> Path:
    return root / "tests" / "unit" / names.service / names.feature / f"test_{names.one}_rules.py"


def _service_test(root: Path, names: FeatureNames) -> Path:
    return root / "tests" / "service" / names.service / names.feature / f"test_{names.feature}.py"


def _revisions(folder: Path) -> tuple[str, str]:
    """The next revision's number, and the one that it follows."""
    last = max(int(file.name[:4]) for file in folder.glob("[0-9]*.py"))
    return f"{last + 1:04}", f"{last:04}"


def _served(app: Path, names: FeatureNames) -> None:
    """Lists the feature in the service's app."""
    text = app.read_text(encoding="utf-8")
    if "apis={" not in text:
        raise BadName(f"{app} has no list `apis={{`: put {names.kind}Api in by hand")
    line = f'\n            "{names.kind}Service": [{names.kind}Api(parts)],'
    text = text.replace("apis={", f"apis={{{line}", 1)
    imports = list(re.finditer(r"^from services\..*\n", text, re.MULTILINE))
    new = f"from services.{names.service}.{names.feature}.api import {names.kind}Api\n"
    place = next((each.start() for each in imports if each[0] > new), imports[-1].end())
    app.write_text(text[:place] + new + text[place:], encoding="utf-8")


def _insert(path: Path, before: str | None, text: str) -> None:
    """Puts ``text`` before the first ``before``, or at the end of the file's class."""
    content = path.read_text(encoding="utf-8")
    place = content.index(before) if before else len(content)
    path.write_text(content[:place] + text + content[place:], encoding="utf-8")


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
