"""What does not follow docs/api-style.md yet: by rule, as patterns of names, with the point of the review that brings it.

It may only shrink.
"""

NOT_YET: dict[str, dict[str, str]] = {}
