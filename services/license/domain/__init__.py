"""The rules of electronic licences, pure: no I/O, no clock, no algorithms of other packages (those are passed in)."""
