"""``./run peers`` runs by what each peer names: a file that none names is never run."""

from pathlib import Path

from tests.peers.fetch import HERE, PEERS


def test_every_file_of_peers_is_some_peers() -> None:
    named = {name for each in PEERS for name in each.tests}
    assert named == {each.name for each in Path(HERE).glob("test_*.py")}
