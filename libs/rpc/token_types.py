"""What kinds of tokens are called where one is exchanged for another (RFC 8693, 3)."""

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind of token
ASSERTION = "urn:ietf:params:oauth:token-type:jwt"
