"""Versions of what is hashed and signed: read by what they say of themselves, for as long as somebody keeps them."""


class UnknownVersion(ValueError):
    """Evidence of a version that this program does not know: it is neither good nor broken, it is from another release.

    Attributes:
        version: the version that it says it has.
    """

    def __init__(self, what: str, version: int, known: int) -> None:
        super().__init__(
            f"the {what} has version {version}, and this program knows versions up to {known}: take a newer release"
        )
        self.version = version
