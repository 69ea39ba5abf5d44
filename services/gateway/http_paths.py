"""The templates of google.api.http rules as paths: what stands in them, and what each place of them takes."""

import re

VARIABLE = re.compile(r"\{([a-z_.]+)(?:=([^}]*))?\}")
"""A variable of a template: the request's field, and the form of its value."""


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _expand(field: str, pattern: str, names: list[str]) -> str:
    """Turns ``{name=persons/*}`` into ``persons/{person}``: OpenAPI's parameters hold no slash."""
    parts: list[str] = []
    for part in pattern.split("/"):
        if not part.startswith("*"):
            parts.append(part)
            continue
        name = _singular(parts[-1]) if parts and not parts[-1].startswith("{") else field
        while name in names:
            name += "Id"
        names.append(name)
        parts.append(f"{{{name}}}")
    return "/".join(parts)


def path_of(template: str) -> tuple[str, list[str], set[str]]:
    """Returns the OpenAPI path of an HTTP rule, its parameters, and the request's fields that the path binds."""
    names: list[str] = []
    bound: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        bound.add(match[1])
        return _expand(match[1], match[2] or "*", names)

    return VARIABLE.sub(replace, template), names, bound


def part_patterns(template: str, pattern: str) -> list[str]:
    """Returns the pattern of each ``*`` of a name's template (``cases/*``), cut from that of the whole name.

    Empty texts where the name's pattern can't be cut so.
    """
    parts = template.split("/")
    rules = pattern.removeprefix("^").removesuffix("$").split("/") if pattern.endswith("$") else []
    fits = len(rules) == len(parts) and all(part in ("*", rule) for part, rule in zip(parts, rules, strict=True))
    return [rule if fits else "" for part, rule in zip(parts, rules if fits else parts, strict=True) if part == "*"]
