"""What is written of accounts."""

from libs.db.change import Addition
from libs.db.query import Update
from services.identity.core.accounts import Organization, Person
from services.identity.core.further_documents import FurtherDocument

ADD_PERSON, ADD_DOCUMENT, ADD_ORGANIZATION = Addition(Person), Addition(FurtherDocument), Addition(Organization)
UPDATE_ORGANIZATION = Update(Organization)
