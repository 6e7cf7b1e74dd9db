"""Prometheus metrics under the names that TensorFlow Serving gives them."""

import collections
import re

import prometheus_client
from prometheus_client.core import Metric

DEFAULT_PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Microseconds: 10, 18, 32.4, … (about 20 minutes), the buckets of TensorFlow Serving.
_BUCKETS = [10 * 1.8**power for power in range(33)]
_PREFIX = ":tensorflow:serving:"


class Metrics:
    """Counts and latencies of requests. Labels are models that exist, never what a client made up."""

    def __init__(self):
        self._registry = prometheus_client.CollectorRegistry()
        self._counts = collections.Counter()
        self._registry.register(self)
        self._latency = prometheus_client.Histogram(
            f"{_PREFIX}request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            ["model_name", "API", "entrypoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def record(self, model_name, api, entrypoint, code, seconds):
        """Takes in one request.

        Args:
            model_name: of a model of the config, or "" for any other.
            api, entrypoint: for example "Predict" and "GRPC".
            code: grpc.StatusCode.
            seconds: from its arrival to its answer; only successes count, as in TensorFlow Serving.
        """
        self._counts[model_name, code.name] += 1
        if code.value[0] == 0:
            self._latency.labels(model_name, api, entrypoint).observe(seconds * 1e6)

    def collect(self):
        metric = Metric(f"{_PREFIX}request_count", "The total number of requests.", "counter")
        for (model_name, status), count in self._counts.items():
            metric.add_sample(metric.name, {"model_name": model_name, "status": status}, count)
        yield metric

    def page(self):
        """The metrics as Prometheus reads them, bytes."""
        text = prometheus_client.generate_latest(self._registry)
        # The library declares every counter as NAME_total. TensorFlow Serving's counters have no such ending.
        return re.sub(rb"(?m)^(# (?:HELP|TYPE) :tensorflow:\S+)_total ", rb"\1 ", text)
