"""Figures for Prometheus; each application has a registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LINES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """What the server counts.

    Attributes:
        requests: by path and status.
        seconds: from the head of a request to its answer, by path.
        refusals: by reason.
        batch_lines: lines of each batch that was computed.
        waiting: what is received and not answered, by kind.
        reloads: of the model folder, by result.
        model: 1 for the model in use, by its name.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        own = {"namespace": "scenetext", "registry": self.registry}
        self.requests = Counter("requests", "requests answered", ("path", "status"), **own)
        self.seconds = Histogram("request_seconds", "time to the answer", ("path",), buckets=SECONDS, **own)
        self.refusals = Counter("refusals", "requests refused", ("reason",), **own)
        self.batch_lines = Histogram("batch_lines", "lines of a batch", buckets=LINES, **own)
        self.waiting = Gauge("waiting", "received and not answered", ("kind",), **own)
        self.reloads = Counter("reloads", "reloads of the model folder", ("result",), **own)
        self.model = Gauge("model_info", "1 for the model in use", ("name",), **own)

    def page(self) -> bytes:
        """The figures in Prometheus' text form."""
        return generate_latest(self.registry)
