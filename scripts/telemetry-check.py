"""What other programs make of the messages that a collector took: OpenTelemetry's own library, VictoriaMetrics, and Jaeger if it is given.

    telemetry-check.py MESSAGES FOLDER [JAEGER]

MESSAGES is what `rust-core/client/tests/collected.rs` keeps, FOLDER one for the data of the other programs.
"""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SERVICE = "field-notes"


def fetch(url, body=None, headers=None, seconds=60):
    """The reply to a request, as bytes."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=seconds) as reply:
        return reply.read()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, ready):
    """Runs a program until the block ends; it begins once an address of it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended by itself with {process.returncode}")
            with contextlib.suppress(OSError):
                fetch(ready)
                break
            time.sleep(0.2)
        else:
            sys.exit(f"{command[0]} does not answer")
        yield
    finally:
        process.terminate()
        process.wait()


def read(path, kind):
    """A message, which its reader must write again byte for byte: it has nothing that OpenTelemetry does not know."""
    data = path.read_bytes()
    message = kind.FromString(data)
    if message.SerializeToString() != data:
        sys.exit(f"{path.name} has something that OpenTelemetry does not know")
    return message


def lines(message):
    """The sums and histograms of a message, as lines of Prometheus."""
    for resource in message.resource_metrics:
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            name = re.sub(r"\W", "_", metric.name)
            for point in metric.sum.data_points:
                yield f"{name}{labels(point)} {point.as_int or point.as_double}"
            for point in metric.histogram.data_points:
                yield f"{name}_count{labels(point)} {point.count}"
                yield f"{name}_sum{labels(point)} {point.sum}"


def labels(point):
    pairs = ((pair.key, pair.value) for pair in point.attributes)
    inner = ",".join(f'{re.sub(r"[^a-z0-9]", "_", key)}="{value.string_value or value.int_value}"' for key, value in pairs)
    return f"{{{inner}}}"


def metrics(messages, folder):
    """Puts all messages into VictoriaMetrics, in their order, and asks for the totals."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [
        "victoria-metrics",
        f"-storageDataPath={folder}/metrics",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-search.latencyOffset=0s",
    ]
    with running(command, f"{address}/health"):
        now_ms = int(time.time() * 1000)
        for number, message in enumerate(messages):
            # The test's clock is months ahead, which VictoriaMetrics refuses: a second for each message.
            at_ms = now_ms - (len(messages) - number) * 1000
            body = "\n".join(lines(message)).encode()
            fetch(f"{address}/api/v1/import/prometheus?timestamp={at_ms}", body)
        fetch(f"{address}/internal/force_flush")

        def total(name):
            query = urllib.parse.urlencode({"query": f"sum(last_over_time({name}[1d]))", "time": now_ms // 1000})
            found = json.loads(fetch(f"{address}/api/v1/query?{query}"))["data"]["result"]
            return float(found[0]["value"][1]) if found else 0.0

        tokens = "gen_ai_client_inference_operation_output_tokens_sum"
        return {"requests": total("whimbrel_requests"), "output_tokens": total(tokens)}


def traces(messages):
    """The spans of each trace, each with its parent: one tree for a request."""
    found = {}
    for message in messages:
        spans = [span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans]
        for span in spans:
            found.setdefault(span.trace_id.hex(), {})[span.span_id] = span
    for trace, spans in found.items():
        roots = [span for span in spans.values() if not span.parent_span_id]
        if len(roots) != 1 or any(span.parent_span_id not in spans for span in spans.values() if span.parent_span_id):
            sys.exit(f"trace {trace} is no tree")
    return {trace: len(spans) for trace, spans in found.items()}


def jaeger(program, paths, wanted):
    """Sends the traces to Jaeger and compares what it shows of each."""
    ports = {name: free_port() for name in ("query", "otlp", "query_grpc")}
    configuration = {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"here": {"memory": {"max_traces": 100000}}}},
            "jaeger_query": {
                "storage": {"traces": "here"},
                "http": {"endpoint": f"127.0.0.1:{ports['query']}"},
                "grpc": {"endpoint": f"127.0.0.1:{ports['query_grpc']}"},
            },
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{ports['otlp']}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "here"}},
    }
    file = pathlib.Path(sys.argv[2]) / "jaeger.json"
    file.write_text(json.dumps(configuration))
    query = f"http://127.0.0.1:{ports['query']}"
    with running([program, "--config", str(file)], f"{query}/api/services"):
        for path in paths:
            headers = {"content-type": "application/x-protobuf"}
            fetch(f"http://127.0.0.1:{ports['otlp']}/v1/traces", path.read_bytes(), headers)
        services = json.loads(fetch(f"{query}/api/services"))["data"]
        if services != [SERVICE]:
            sys.exit(f"Jaeger shows the services {services}")
        for trace, spans in wanted.items():
            shown = json.loads(fetch(f"{query}/api/traces/{trace}"))["data"][0]
            inside = {span["spanID"] for span in shown["spans"]}
            parents = [reference["spanID"] for span in shown["spans"] for reference in span["references"]]
            if len(inside) != spans or len(parents) != spans - 1 or not inside.issuperset(parents):
                sys.exit(f"Jaeger does not show trace {trace} as a tree of {spans} spans")


def main():
    folder = pathlib.Path(sys.argv[1])
    expected = json.loads((folder / "expected.json").read_text())
    sums = [read(path, ExportMetricsServiceRequest) for path in sorted(folder.glob("*-metrics.pb"))]
    paths = sorted(folder.glob("*-traces.pb"))
    trees = traces([read(path, ExportTraceServiceRequest) for path in paths])
    print(f"OpenTelemetry reads {len(sums)} messages with sums and {len(paths)} with {len(trees)} traces")
    if len(trees) != expected["requests"]:
        sys.exit(f"there were {expected['requests']} requests")
    found = metrics(sums, sys.argv[2])
    print(f"VictoriaMetrics has {found}; counted were {expected}")
    if found != expected:
        sys.exit("that is not what was counted")
    if len(sys.argv) > 3 and sys.argv[3]:
        jaeger(sys.argv[3], paths, trees)
        print(f"Jaeger shows {len(trees)} traces as trees of {sum(trees.values())} spans")


main()
