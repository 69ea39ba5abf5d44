"""What is written of documents."""

from libs.db.change import Addition
from libs.db.query import Delete, Update
from services.identity.core.accounts import Person
from services.identity.core.further_documents import FurtherDocument

ADD, UPDATE, DELETE = Addition(FurtherDocument), Update(FurtherDocument), Delete(FurtherDocument)
UPDATE_PERSON = Update(Person)
