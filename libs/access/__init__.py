"""Who may do what: the caller of an RPC, and the rules that all services decide by alike."""
