"""What is told by itself of questions to other regions whose answer nobody recorded."""

from libs.audit.questions import unanswered
from libs.sweeps.sweep import Backlog
from services.sharing.core.parts import Parts
from services.sharing.data.forwarding import QUESTION, UNANSWERED


def unanswered_questions(parts: Parts) -> Backlog:
    """Returns the questions to other regions as a sweep follows them."""
    return unanswered(parts.database, parts.log, parts.clock, QUESTION, UNANSWERED)
