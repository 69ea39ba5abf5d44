"""A list of several regions that is not whole."""


class RegionsUnreachable(Exception):
    """Some of the regions that a list was asked of could not be asked; the others' rows all came before this was raised.

    Attributes:
        regions: their ids; who wants what is missing asks again, for these alone.
    """

    def __init__(self, regions: tuple[str, ...]) -> None:
        super().__init__(f"not asked: {', '.join(regions)}")
        self.regions = regions
