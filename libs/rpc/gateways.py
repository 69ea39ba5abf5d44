"""Channels to gateways: what a client has of a region, this one or another."""

import grpc

CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # How long an attempt may take: a handshake with a process that hangs is given up, and tried with the next.
    ("grpc.min_reconnect_backoff_ms", 2_000),
]
"""What every channel of ours is opened with: tries are counted by who calls, and one that is lost is opened again at once."""
_GATEWAY = [*CHANNEL_OPTIONS, ("grpc.keepalive_time_ms", 30_000)]


def gateway_channel(
    url: str, roots: bytes | None = None, own: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """Opens a channel to a gateway by its base URL (``http://`` or ``https://``), trusting ``roots`` (PEM) or the system's.

    ``own`` is how it is opened by who has a certificate.
    """
    scheme, _, authority = url.partition("://")
    if scheme == "https":
        return grpc.aio.secure_channel(authority, own or grpc.ssl_channel_credentials(roots), options=_GATEWAY)
    return grpc.aio.insecure_channel(authority, options=_GATEWAY)
