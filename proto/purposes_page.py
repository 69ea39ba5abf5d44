"""Writes docs/purposes.md from the table of purposes (libs/access/purposes.toml)."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "purposes.md"
_HEAD = """# Purposes

Made from `libs/access/purposes.toml` by `./run proto`; a test compares. Don't edit.

Who reads or uses somebody's data says in `use_context.purpose_code` what for, by one of these codes. A consent and a grant of shared
data name the code that they are for, and a use of them states the same: codes are compared, words (`purpose`) are for people and
decide nothing. A code is never renamed and never gets another meaning. One that is not here is refused with PURPOSE_UNKNOWN; one that
another region states is kept and shown as it is, for its table may be newer, and opens nothing that asks for a code of ours.

**Needs**: what the context must name beside the purpose, else FIELD_INVALID with the rule `purpose.case`, `purpose.service_item` or
`purpose.basis`. A case stands for its item. **Bases**: the kinds of `basis` that can carry it, else FIELD_INVALID with the rule
`purpose.carried`. A service takes the kinds that it can have checked (rule `basis.kind`):

| Service | Kinds | What is checked |
| --- | --- | --- |
| identity | `consent`, `law` | the consent is of this person, to the department or client that asks, for this purpose, `persons/…` stands among its resources, and it was not taken back |
| license | `consent`, `presentation`, `law`, `item` | the consent likewise, of the holder, for this licence; the presentation was redeemed by who asks; the item is that of a case of the holder's that the department works on, and declares this kind of licence; the law stands in that item's published basis. Lists, materials and redemptions rest on none: they take `law` alone; making a presentation takes none |
| seal | `law` | a citation |
| cases | `law` | a citation; the service item is that of the case that is read |
| sharing | `grant` | the grant is the department's, holds now, and is for this purpose |

A law is a citation, `《中华人民共和国行政许可法》第三十四条`. By itself it opens nothing.

| Code | 中文 | English | Needs | Bases |
| --- | --- | --- | --- | --- |
"""


def rendered() -> str:
    """Returns the page."""
    from libs.access.purposes import BASES, NEEDS, table  # noqa: PLC0415 - generated code is needed, made just before

    def named(order: tuple[str, ...], some: frozenset[str]) -> str:
        return ", ".join(f"`{each}`" for each in order if each in some)

    rows = (
        f"| `{each.code}`{' (ended)' if each.ended else ''} | {each.zh} | {each.en} | {named(NEEDS, each.needs)} "
        f"| {named(BASES, each.bases)} |\n"
        for each in table().values()
    )
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
