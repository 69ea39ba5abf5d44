"""Stage 1: joins the caller's trace, or begins one."""

from google.protobuf.message import Message
from opentelemetry.trace import SpanKind

from libs.observability.tracing import Tracing, parse_traceparent
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method


def trace(tracing: Tracing) -> Stage:
    """Gives the call its trace and span id, and a server span where spans are on."""

    def stage(method: Method, handler: Handler) -> Handler:
        async def with_trace(request: object, call: Call) -> Message:
            parent = call.metadata.get("traceparent", "")
            if not tracing.enabled:
                call.trace_id, call.span_id = parse_traceparent(parent)
                return await handler(request, call)
            with tracing.span(method.name, SpanKind.SERVER, parent) as span:
                assert span is not None
                context = span.get_span_context()
                call.trace_id, call.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
                return await handler(request, call)

        return with_trace

    return stage
