"""W3C trace context and OpenTelemetry spans.

Without an endpoint no span is made, but ids still travel: every log line and audit record can be joined by trace id.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_propagator = TraceContextTextMapPropagator()
_followed: ContextVar[str] = ContextVar("followed", default="")


class Tracing:
    """The spans of one process. Made without a provider it makes none."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("tongban") if provider else None

    @classmethod
    def sending(cls, service: str, region: str, endpoint: str, exporter: SpanExporter | None = None) -> "Tracing":
        """Makes spans if there is somewhere to send them: an OTLP endpoint, or an exporter (tests)."""
        if not endpoint and exporter is None:
            return cls()
        provider = TracerProvider(resource=Resource.create({"service.name": service, "tongban.region": region}))
        provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint, insecure=True)))
        return cls(provider)

    @property
    def enabled(self) -> bool:
        """Whether spans are made."""
        return self._tracer is not None

    def shutdown(self) -> None:
        """Sends what is still waiting, and makes no more spans."""
        if self._provider is not None:
            self._provider.shutdown()
        self._provider = self._tracer = None

    @contextmanager
    def span(
        self, name: str, kind: trace.SpanKind = trace.SpanKind.INTERNAL, parent: str = ""
    ) -> Iterator[trace.Span | None]:
        """Opens a span named ``name`` (under ``parent``, a traceparent header, if given); None while spans are off.

        Span names and attributes hold method names, table names and resource kinds, never personal data.
        """
        if self._tracer is None:
            yield None
            return
        context = _propagator.extract({"traceparent": parent}) if parent else otel_context.get_current()
        # An exception's words and stack hold what the call was about; that it failed is all that a span may tell.
        with self._tracer.start_as_current_span(
            name, context=context, kind=kind, record_exception=False, set_status_on_exception=False
        ) as current:
            try:
                yield current
            except Exception:
                current.set_status(trace.StatusCode.ERROR)
                raise


def parse_traceparent(value: str) -> tuple[str, str]:
    """Returns (trace id, new span id): the caller's trace where ``value`` is valid, else a new one."""
    match = _TRACEPARENT.fullmatch(value)
    valid = match is not None and int(match[1], 16) != 0 and int(match[2], 16) != 0
    return (match[1] if valid and match else secrets.token_hex(16)), secrets.token_hex(8)


def traceparent(trace_id: str, span_id: str) -> str:
    """Writes the header for a call made while serving the given span."""
    return f"00-{trace_id}-{span_id}-01"


@contextmanager
def following(parent: str) -> Iterator[None]:
    """Lets calls made in the block, outside of any served call, carry ``parent``: an event's traceparent."""
    token = _followed.set(parent)
    try:
        yield
    finally:
        _followed.reset(token)


def followed() -> str:
    """The traceparent that `following` set; empty outside of it."""
    return _followed.get()
