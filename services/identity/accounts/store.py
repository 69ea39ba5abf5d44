"""What is written of accounts."""

from libs.db.change import Addition
from libs.db.query import Update
from services.identity.core.accounts import Organization, Person

ADD_PERSON, ADD_ORGANIZATION = Addition(Person), Addition(Organization)
UPDATE_ORGANIZATION = Update(Organization)
