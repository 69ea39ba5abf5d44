"""The closing table: published figure beside the measured one."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.local.demo.catalogue import INVESTMENT, ITEMS, MARKET_ACCESS, PUBLISHED_TOTALS


@dataclass
class Figures:
    """Figure by name: what was published (or must come out), and what was measured."""

    rows: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, name: str, published: object, measured: object) -> None:
        """Adds a figure."""
        self.rows[name] = (str(published), str(measured))

    @property
    def agree(self) -> bool:
        """Whether every measured figure is the published one."""
        return all(published == measured for published, measured in self.rows.values())

    def add_statistics(self, counts: dict[str, int], by_item: dict[str, int], by_category: dict[str, int]) -> None:
        """Adds the lines of the report; ``counts`` are the cases that were run (the published ones, or a sample)."""
        for item in ITEMS:
            self.add(f"{item.category} · {item.name}", counts[item.number], by_item.get(item.name, 0))
        for category in (MARKET_ACCESS, INVESTMENT):
            ran = sum(counts[item.number] for item in ITEMS if item.category == category)
            published = PUBLISHED_TOTALS[category] if ran == PUBLISHED_TOTALS[category] else ran
            self.add(f"{category} · total", published, by_category.get(category, 0))

    def print(self, console: Console, *, sampled: bool) -> None:
        """Prints the table."""
        title = "figures of a scaled sample, not the published ones" if sampled else "published and measured"
        table = Table("figure", "scaled" if sampled else "published", "measured", "", title=title)
        for name, (published, measured) in self.rows.items():
            table.add_row(name, published, measured, "ok" if published == measured else "[red]differs[/]")
        console.print(table)

    def write(self, path: Path) -> None:
        """Writes the table as {figure: {published, measured}}."""
        content = {name: {"published": p, "measured": m} for name, (p, m) in self.rows.items()}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
