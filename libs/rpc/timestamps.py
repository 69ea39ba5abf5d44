"""Moved to libs.rpc.messages; stays until every service imports it from there."""

from libs.rpc.messages import timestamp

__all__ = ["timestamp"]
