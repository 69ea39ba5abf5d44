"""``./run mutate``: changes the pure rules a little, one change at a time, and asks whether a unit test dies of it.

mutmut makes the mutants and runs the unit tests that reach them (``[tool.mutmut]`` says which files and tests). There are
thousands, so a sample is tried, drawn by a seed; a mutant that lives is named with what was changed. Texts for people are
not part of it: what an error says may be worded anew, its reason, field and rule may not.
"""

import argparse
import json
import random
import re
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_MUTMUT = str(Path(sys.executable).with_name("mutmut"))
_FOLDER = _ROOT / "mutants"
_FIRST = "libs.separation.*"
_SURVIVED = (0, 33)
"""What mutmut notes where the tests pass, and where no test reaches the mutant."""
_FAILED = 1
"""A test failed. What ended in any other way, by the clock or by a signal, is named: that is for a reader to judge."""
_LEAST = 0.95
_TEXT = re.compile(r'f?"((?:[^"\\]|\\.)*)"')


def _mutmut(*arguments: str) -> str:
    done = subprocess.run([_MUTMUT, *arguments], cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mutmut {arguments[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def _results() -> dict[str, int | None]:
    """What became of every mutant, None where it was not tried."""
    found: dict[str, int | None] = {}
    for file in sorted(_FOLDER.rglob("*.meta")):
        found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def _line(diff: str, sign: str) -> str:
    """The line that a mutant takes away or puts in."""
    lines = (line for line in diff.splitlines() if not line.startswith(("---", "+++")))
    return "\n".join(line[1:].strip() for line in lines if line.startswith(sign))


def is_wording(diff: str) -> bool:
    """Tells whether a mutant changes or drops a text for people only: one that has a space in it."""
    before, after = _line(diff, "-"), _line(diff, "+")
    for whole in _TEXT.finditer(before):
        text = whole[1]
        others = (f"XX{text}XX", text.lower(), text.upper())
        if " " in text and after in (
            before.replace(whole[0], "None"),
            *(before.replace(text, each) for each in others),
        ):
            return True
    return False


def main() -> int:
    """Tries a sample; returns 1 where less than 95 % of it dies."""
    parser = argparse.ArgumentParser(description="Mutation testing of the pure rules, by unit tests alone.")
    parser.add_argument("--sample", type=int, default=120, help="how many mutants are tried")
    parser.add_argument("--seed", default="tongban", help="what the sample is drawn by")
    parser.add_argument("--of", default="", help="only mutants whose name begins so, such as libs.civil")
    asked = parser.parse_args()
    _mutmut("run", _FIRST)
    everything = sorted(name for name in _results() if name.startswith(asked.of))
    sample = random.Random(asked.seed).sample(everything, min(asked.sample, len(everything)))
    _mutmut("run", *sample)
    results = _results()
    alive = {name: _mutmut("show", name) for name in sample if results[name] in _SURVIVED}
    worded = [name for name, diff in alive.items() if is_wording(diff)]
    for name in alive.keys() - set(worded):
        print(alive[name])
    for name in sample:
        if results[name] not in (*_SURVIVED, _FAILED):
            print(f"# {name}: no test failed, it ended with {results[name]}\n{_mutmut('show', name)}")
    tried, lived = len(sample) - len(worded), len(alive) - len(worded)
    print(
        f"{tried - lived} of {tried} died ({1 - lived / tried:.1%}), {len(worded)} changed words only; "
        f"drawn from {len(everything)} by the seed {asked.seed}"
    )
    return int(tried - lived < _LEAST * tried)


if __name__ == "__main__":
    raise SystemExit(main())
