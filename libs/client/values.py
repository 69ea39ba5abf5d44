"""Values of licences, forms and shared data for callers: from Python's own types, back to them, and as people read them.

``form_values=value_messages({"capital": Decimal("500000.00"), "founded": date(2019, 3, 4)})`` fills a form in;
``values_of(licence.face_fields)`` reads a face. docs/values.md tells the kinds.
"""

from libs.values.canonical import same
from libs.values.kinds import Document, Value
from libs.values.messages import value_message, value_messages, value_of, values_of
from libs.values.text import shown

__all__ = ["Document", "Value", "same", "shown", "value_message", "value_messages", "value_of", "values_of"]
