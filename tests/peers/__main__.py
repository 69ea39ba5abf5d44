"""``./run peers``: says in one line what this machine lacks, and runs what it has."""

import sys

import pytest

from tests.peers.fetch import HERE, PEERS

_SECONDS = 600
"""The first test of a peer waits until that is there: fetched, and of Go built from its sources."""


def main() -> int:
    """Runs the tests whose peers this machine can have; the exit status is pytest's, 0 where there are none."""
    absent = [f"{each.name} (needs {', '.join(each.missing)})" for each in PEERS if each.missing]
    if absent:
        print(f"left out: {'; '.join(absent)}", flush=True)
    files = [str(HERE / name) for each in PEERS if not each.missing for name in each.tests]
    return int(pytest.main(["-m", "peers", f"--timeout={_SECONDS}", *files, *sys.argv[1:]])) if files else 0


if __name__ == "__main__":
    raise SystemExit(main())
