"""Documents: content-addressed storage, and the writing and reading of OFD and PDF."""
