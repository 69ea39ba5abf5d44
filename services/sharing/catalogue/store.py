"""What is written and listed of catalogue entries."""

from libs.db.query import Insert, Page, Update
from services.sharing.core.resources import CatalogueResource

ADD, UPDATE = Insert(CatalogueResource), Update(CatalogueResource)
LISTED = Page(
    CatalogueResource,
    "{columns} FROM resources",
    "code",
    {
        "state": "state = :state",
        "sharing_class": "sharing_class = :sharing_class",
        "provider_department": "provider_department = :provider_department",
        "code": "code = :code",
        "after": "code > :after",
        # What is not published is for its provider, and for the competent authority, which lists without these two.
        "published": "state = 'PUBLISHED' AND :published",
        "seen_by": "state = 'PUBLISHED' OR provider_department = :seen_by",
    },
)
