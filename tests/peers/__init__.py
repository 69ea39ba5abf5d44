"""Checks this product with software that is not ours, fetched by its own package client into `.peers/`."""
