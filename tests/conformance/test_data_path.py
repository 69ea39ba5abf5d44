"""One way to a service's tables: statements of ``libs.db``, run on what its one pool lends. SQLAlchemy declares tables, no more."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

_DECLARED = frozenset(
    {
        *("Table", "MetaData", "Column", "ForeignKey", "Index", "Identity", "UniqueConstraint", "PrimaryKeyConstraint"),
        *("CheckConstraint", "Sequence", "Text", "Uuid", "LargeBinary", "Boolean", "DateTime", "Date", "Interval"),
        *("Integer", "BigInteger", "SmallInteger", "Float", "Numeric", "func"),
    }
)
_TYPES = frozenset({"ARRAY", "JSONB"})
_RUN = frozenset(
    {
        *("execute", "exec_driver_sql", "scalar", "scalars", "stream", "stream_scalars"),
        *("fetch", "fetchrow", "fetchval", "executemany", "prepare", "cursor"),
    }
)
_OF_A_DECLARATION = frozenset({"postgresql_where", "server_default"})
_OTHERS = frozenset({"services/sharing/integrations/data_sources.py"})
"""The databases of others, which are read as their owners let us."""


def _files() -> list[Path]:
    found = [*Path("libs").rglob("*.py"), *Path("services").rglob("*.py")]
    return [each for each in found if each.parts[:2] != ("libs", "db") and "migrations" not in each.parts]


def _beside_the_path(text: str) -> Iterator[str]:
    """What reaches the database by another way than ``libs.db``."""
    tree = ast.parse(text)
    declaring = {
        id(each)
        for keyword in ast.walk(tree)
        if isinstance(keyword, ast.keyword) and keyword.arg in _OF_A_DECLARATION
        for each in ast.walk(keyword.value)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sa":
            if node.attr not in _DECLARED and id(node) not in declaring:
                yield f"sa.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            yield from (f"{node.module}.{each.name}" for each in node.names if each.name not in _TYPES)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = [module] if module else [each.name for each in node.names]
            yield from (name for name in names if name.partition(".")[0] == "asyncpg")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            whose = ast.unparse(node.func.value).rpartition(".")[2]
            if whose in {"connection", "lock", "driver"} and node.func.attr in _RUN:
                yield f"{whose}.{node.func.attr}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import sqlalchemy as sa\nT = sa.Table('t', sa.Column('a', sa.Text, server_default=sa.text('1')))", []),
        ("import sqlalchemy as sa\nQ = sa.select(T)", ["sa.select"]),
        ("import sqlalchemy as sa\nQ = sa.text('SELECT 1')", ["sa.text"]),
        ("from sqlalchemy.ext.asyncio import AsyncConnection", ["sqlalchemy.ext.asyncio.AsyncConnection"]),
        ("from sqlalchemy.dialects.postgresql import ARRAY, insert", ["sqlalchemy.dialects.postgresql.insert"]),
        ("import asyncpg", ["asyncpg"]),
        ("await connection.execute('SELECT 1')", ["connection.execute"]),
        ("await tx.connection.driver.fetch('SELECT 1')", ["driver.fetch"]),
        ("await QUERY.first(tx.connection, id=1)", []),
    ],
)
def test_another_way_is_seen(text: str, found: list[str]) -> None:
    assert list(_beside_the_path(text)) == found


def test_there_is_one_way_to_the_tables() -> None:
    found = {
        str(file): ways
        for file in _files()
        if str(file) not in _OTHERS and (ways := sorted(set(_beside_the_path(file.read_text(encoding="utf-8")))))
    }
    assert found == {}
