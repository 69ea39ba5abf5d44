"""The rules of the identity service. Pure: no I/O, and the time is always passed in."""
