"""The rules of data sharing, pure: no I/O, and the time is always passed in.

The numbers of the enums are those of ``tongban.sharing.v1``.
"""
