"""Brings whole regions up on one machine: `up`, `demo`, the system tests and the chaos tests all start from here."""
