"""``tongban population``: makes the table that names and numbers are compared with of the operator's own list."""

import csv
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.identity.verifications import population
from services.identity.verifications.population import NoPopulationTable, WrongRow

app = typer.Typer(add_completion=False)
_KEY_BYTES = 32

List = Annotated[
    Path,
    typer.Argument(
        metavar="LIST.csv", exists=True, dir_okay=False, help="full_name,document_type,document_number in UTF-8."
    ),
]
Table = Annotated[Path, typer.Option("--table", help="Where the table goes; one that is there is replaced as a whole.")]
KeyFile = Annotated[
    Path,
    typer.Option(
        "--key", help="The table's key; made where there is none. Whoever has both can ask for those they know."
    ),
]


@app.command()
def make(file: List, table: Table, key_file: KeyFile) -> None:
    """Makes a table of a list, names of people and their documents. Nothing of the list can be read out of the table."""
    try:
        content = population.prepare(population.rows_of(file), _key(key_file), datetime.now(UTC).date())
    except (WrongRow, NoPopulationTable, UnicodeDecodeError, csv.Error) as error:
        told = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        typer.echo(f"{file.name}: {told}; nothing was changed", err=True)
        raise typer.Exit(1) from None
    population.write(table, content)
    print(f"{population.size_of(content)} people are in {table}")


def _key(file: Path) -> bytes:
    """Reads the key; makes one, for nobody else's eyes, where there is none."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        pass
    return file.read_bytes()


if __name__ == "__main__":
    app()
