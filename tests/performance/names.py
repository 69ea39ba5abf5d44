"""Names of operations that more than one file speaks of."""

HOSTILE = "validate a file made to hurt:"
"""What the names of such files' validations begin with."""
CLIENT_GRANT, AUTHLIB_GRANT = "client-credential grant", "client-credential grant by Authlib on Flask"
PASSWORD_SIGN_IN = "password sign-in"
DIGESTS = 100
"""In a batch."""
SEALED = f"seal {DIGESTS} digests"
