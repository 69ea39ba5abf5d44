"""Names of operations that more than one file speaks of."""

HOSTILE = "validate a file made to hurt:"
"""What the names of such files' validations begin with."""
CLIENT_GRANT, AUTHLIB_GRANT = "client-credential grant", "client-credential grant by Authlib on Flask"
PASSWORD_SIGN_IN = "password sign-in"
DIGESTS = 100
"""In a batch."""
SEALED = f"seal {DIGESTS} digests"
SHOWN_CODE = "personal code: show"
SCANS = 200
"""In a message of the gates' stream."""
SCANNED_CODES = f"personal code: scan {SCANS} on a stream"
