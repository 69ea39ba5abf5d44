"""What is written of accounts."""

from libs.db.change import Addition
from libs.db.query import Update
from services.identity.core.accounts import Organization, Person
from services.identity.core.contact_points import ReachablePoint
from services.identity.core.further_documents import FurtherDocument

ADD_PERSON, ADD_DOCUMENT, ADD_POINT = Addition(Person), Addition(FurtherDocument), Addition(ReachablePoint)
ADD_ORGANIZATION = Addition(Organization)
UPDATE_ORGANIZATION = Update(Organization)
