"""Several services of one region, each between the fakes of those that do not run."""

from tests.service.handovers.offices import offices
from tests.service.license.conftest import licensing

__all__ = ["licensing", "offices"]
