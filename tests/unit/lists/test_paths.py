"""A list has only orders that an index has, and goes along the narrowest path that the values allow."""

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.errors import InvalidArgument
from libs.lists import order_text
from libs.lists.paths import NoIndex, Order, Path

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("owner", sa.Text),
    sa.Column("agent", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("tags", ARRAY(sa.Text)),
    sa.Column("made", sa.DateTime(timezone=True)),
    sa.Column("number", sa.Text, unique=True),
    sa.Index("things_made", "made", "id"),
    sa.Index("things_owner", "owner", "made", "id"),
    sa.Index("things_state", "owner", "state", "made", "id"),
    sa.Index("things_agent", "agent", "made", "id", postgresql_where=sa.text("agent <> ''")),
    sa.Index("things_open", "state", "made", "id", postgresql_where=sa.text("state IN ('OPEN')")),
    sa.Index("things_tags", "tags", postgresql_using="gin"),
    sa.Index("things_times", "made", postgresql_using="brin"),
)
OPEN = "state IN ('OPEN')"
ORDER = Order(
    ("made", "id"),
    (
        Path(),
        Path(("owner",)),
        Path(("state", "owner")),
        Path(("agent",), "agent <> ''"),
        Path(("state",), OPEN),
        Path(("tags",), few=True),
        Path(("number",), few=True),
    ),
)


def test_paths_that_have_an_index_are_taken() -> None:
    ORDER.check(TABLE)
    Order(("id",)).check(TABLE)


@pytest.mark.parametrize(
    "order",
    [
        Order(("made",)),
        Order(("number", "id")),
        Order(("made", "id"), (Path(("state",)),)),
        Order(("made", "id"), (Path(("agent",)),)),
        Order(("id",), (Path(("tags",)),)),
        Order(("made", "id"), (Path((), few=True),)),
    ],
)
def test_an_order_without_its_index_does_not_start(order: Order) -> None:
    with pytest.raises(NoIndex):
        order.check(TABLE)


@pytest.mark.parametrize(
    ("held", "conditions", "equal"),
    [
        ({}, (), ()),
        ({"owner": "a"}, (), ("owner",)),
        ({"owner": "a", "state": "OPEN"}, (), ("state", "owner")),
        ({"state": "OPEN"}, (), ()),
        ({"state": "OPEN"}, (OPEN,), ("state",)),
        ({"agent": "a"}, (), ("agent",)),
        ({"agent": ""}, (), ()),
        ({"owner": "a", "tags": "x"}, (), ("tags",)),
    ],
)
def test_the_narrowest_path_is_gone(held: dict[str, str], conditions: tuple[str, ...], equal: tuple[str, ...]) -> None:
    path = ORDER.path(held, conditions)
    assert path is not None
    assert path.equal == equal


@pytest.mark.parametrize(
    ("text", "read"),
    [("made", ("made", False)), (" made desc ", ("made", True)), ("made  asc", ("made", False))],
)
def test_an_order_is_one_field_and_its_direction(text: str, read: tuple[str, bool]) -> None:
    assert order_text.parse(text, ["made"]) == read


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("made,id", "order_by.syntax"),
        ("made DESC", "order_by.syntax"),
        ("made; --", "order_by.syntax"),
        ("made desc desc", "order_by.syntax"),
        ("id", "order_by.field"),
    ],
)
def test_another_order_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        order_text.parse(text, ["made"])
    (violation,) = error.value.violations
    assert (violation.field, violation.rule) == ("order_by", rule)
