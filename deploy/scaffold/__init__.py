"""``./run new``: writes the stubs of a feature, or of one more RPC of it, with tests that fail until they are filled."""
