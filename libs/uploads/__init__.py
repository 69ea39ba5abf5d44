"""Uploads: files of any size on their way to a service, in pieces that are kept as they come (tongban.uploads.v1).

What is received lies as encrypted parts of one MiB beside the documents; what is known of it in PostgreSQL. Any replica goes on
where another stopped: nothing of an upload is held by a process. Decision 0050 tells why it is so.
"""
