"""The rules of case handling, pure: no I/O, time is passed in. Standard library and ``libs.errors`` only."""
