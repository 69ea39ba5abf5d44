"""Names of operations that more than one file speaks of."""

HOSTILE = "validate a file made to hurt:"
"""What the names of such files' validations begin with."""
PASSWORD_SIGN_IN = "password sign-in"
