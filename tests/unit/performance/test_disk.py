"""What `./run bench --disk` counts is what `du` counts, and its table adds up."""

import subprocess
from pathlib import Path

from rich.console import Console

from tests.performance.disk import DiskUse, on_disk


def test_a_folder_is_counted_as_du_counts_it(tmp_path: Path) -> None:
    folder = tmp_path / "documents" / "ab"
    folder.mkdir(parents=True)
    (folder / "large").write_bytes(b"x" * 70_000)
    (folder / "small").write_bytes(b"x")
    said = subprocess.run(("du", "-s", "--block-size=1", tmp_path), check=True, capture_output=True, text=True).stdout
    own = tmp_path.lstat().st_blocks * 512
    assert on_disk(tmp_path) + own == int(said.split()[0]) > 70_000


def test_the_table_shows_each_part_and_all_together() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        DiskUse("a machine", 4, 90 * 1024 * 1024, {"a": 1024.0, "b": 2048.0}, {"a": 1024.0, "b": 4096.0}).print(console)
    rows = [[cell.strip() for cell in line.split("│") if cell.strip()] for line in shown.get().splitlines()]
    assert ["together", "3.0", "5.0"] in rows
    assert "90 MB" in shown.get()
