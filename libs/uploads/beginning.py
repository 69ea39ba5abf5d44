"""Begins an upload within its owner's quota: what callers send, and what a service hands out."""

from libs.db.connection import DatabaseConnection
from libs.db.leader import turn
from libs.uploads import rules, store
from libs.uploads.rules import Upload, UploadQuota


async def begin(
    connection: DatabaseConnection, quota: UploadQuota, *, key: str, owner: str, media_type: str, size: int, digest: str
) -> Upload:
    """Adds an upload that takes bytes; in a transaction, in which its owner begins no other.

    Raises:
        ResourceExhausted: UPLOAD_QUOTA_EXCEEDED.
    """
    await turn(connection, f"uploads:{owner}")
    rules.check_quota(quota, await store.HELD.one(connection, owner=owner), size)
    return await store.ADD.one(
        connection,
        id=key,
        owner=owner,
        media_type=media_type,
        size=size,
        digest=digest,
        lifetime=rules.LIFETIME,
    )
