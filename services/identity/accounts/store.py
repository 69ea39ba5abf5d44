"""What is written of accounts."""

from libs.db.query import Insert, Update
from services.identity.core.accounts import Organization, Person

ADD_PERSON, ADD_ORGANIZATION = Insert(Person), Insert(Organization)
UPDATE_ORGANIZATION = Update(Organization)
