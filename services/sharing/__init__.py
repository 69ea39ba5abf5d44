"""The sharing service: catalogue, mounts, requests, grants, and use of shared data within them."""
