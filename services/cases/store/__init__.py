"""Reads and writes of the case service: statements only, no rules."""
