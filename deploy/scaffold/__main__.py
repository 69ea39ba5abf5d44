"""``./run new feature cases/site_visits`` and ``./run new rpc cases/site_visits BookSiteVisit``."""

import sys
from pathlib import Path

from deploy.scaffold import writing
from deploy.scaffold.names import BadName, names_of

ROOT = Path(__file__).resolve().parents[2]
_USAGE = "./run new feature <service>/<features>\n./run new rpc <service>/<features> <VerbNoun>"


def main(arguments: list[str]) -> int:
    """Writes the stubs, and says which files; 2 for what can't be understood, 1 for what can't be done."""
    match arguments:
        case ["feature", place]:
            make, names = writing.feature, [place]
        case ["rpc", place, rpc]:
            make, names = writing.rpc, [place, rpc]
        case _:
            sys.stderr.write(f"{_USAGE}\n")
            return 2
    try:
        written = make(ROOT, names_of(*names))
    except BadName as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in written)
    sys.stdout.write("Next: say in the contract what it does and who may, fill the rules and the tests, ./run check.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
