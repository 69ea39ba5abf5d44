"""What is read of grants."""

from libs.db.query import Page, Query
from services.sharing.core.grants import Grant
from services.sharing.core.participants import SEEN
from services.sharing.core.resources import CatalogueResource

GRANT = Query(Grant, "SELECT {columns} FROM grants WHERE id = CAST(:id AS uuid)")
LISTED = Page(
    Grant,
    "{columns} FROM grants",
    "id DESC",
    {
        **SEEN,
        "resource": "resource_id = CAST(:resource AS uuid)",
        "department": "departments @> ARRAY[CAST(:department AS text)]",
        "consumer_region": "consumer_region = :consumer_region",
        "before": "id < CAST(:before AS uuid)",
    },
)
ENTRIES = Query(CatalogueResource, "SELECT {columns} FROM resources WHERE id = ANY(CAST(:ids AS uuid[]))")
