"""Cases whose acceptance period is over."""

from services.cases.core.departments import OF_DEPARTMENTS

OVERDUE = f"{OF_DEPARTMENTS} AND cases.state = 'SUBMITTED' AND cases.due_date < :today"
"""As a sweep looks for them."""
