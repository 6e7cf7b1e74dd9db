"""Prometheus metrics, with TensorFlow Serving's names where it has them; times are in microseconds."""

import collections
import contextlib
import re

import prometheus_client
from prometheus_client.core import Metric

DEFAULT_PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_TENSORFLOW = ":tensorflow:"
_PREFIX = f"{_TENSORFLOW}serving:"
_OWN = "gan_zoo_serving_"


def _buckets(first, growth, count):
    return [first * growth**power for power in range(count)]


#: 10 microseconds to about 20 minutes, 100 to about a second, 1 to 8,192 rows: the buckets of TensorFlow Serving.
_LONG, _SHORT, _ROWS = _buckets(10, 1.8, 33), _buckets(100, 1.2, 52), _buckets(1, 2, 14)


class Metrics:
    """The metrics of a server. Label values come from configured models, never from a client's request.

    Attributes:
        batch_rows: prometheus_client.Histogram of the rows of executed batches, padding included.
        queuing: prometheus_client.Histogram of the microseconds that a request waited for its batch to run.
        enqueued: prometheus_client.Gauge of the batches or single runs waiting for a thread, label ``queue``.
        poll_errors: prometheus_client.Counter of failed polls for versions, label ``model_name``.
    """

    def __init__(self):
        self._registry = prometheus_client.CollectorRegistry()
        # Memory, processor time and open files, under Prometheus' standard names.
        prometheus_client.ProcessCollector(registry=self._registry)
        self._requests, self._loads, self._load_times = (collections.Counter() for _ in range(3))
        self._registry.register(self)
        self._latency = self._histogram(
            "request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            _LONG,
            ["model_name", "API", "entrypoint"],
        )
        self._warmup = self._histogram(
            "model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up the model.",
            _LONG,
            ["model_path", "status"],
        )
        self.queuing = self._histogram(
            "batching_session:queuing_latency", "Distribution of wall time spent (in microseconds) in queuing", _SHORT
        )
        self.batch_rows = self._histogram(
            "batching_session:processed_batch_size", "Tracks the batch size distribution on processing.", _ROWS
        )
        self.enqueued = self._gauge("enqueued", "Batches or single runs that wait for a thread.", ["queue"])
        self.poll_errors = prometheus_client.Counter(
            f"{_OWN}poll_errors", "Looks for a model's versions that failed.", ["model_name"], registry=self._registry
        )
        in_flight = self._gauge("requests_in_flight", "Requests that are not answered yet.", ["entrypoint"])
        # Created here, so that they read 0 before the first request.
        self._in_flight = {entrypoint: in_flight.labels(entrypoint) for entrypoint in ("GRPC", "REST")}

    def _histogram(self, name, documentation, buckets, labels=()):
        return prometheus_client.Histogram(
            _PREFIX + name, documentation, labels, buckets=buckets, registry=self._registry
        )

    def _gauge(self, name, documentation, labels):
        return prometheus_client.Gauge(_OWN + name, documentation, labels, registry=self._registry)

    def in_flight(self, entrypoint):
        """Context manager that counts a request in flight; `entrypoint` is "GRPC" or "REST"."""
        return self._in_flight[entrypoint].track_inprogress()

    def record(self, model_name, api, entrypoint, code, seconds):
        """Records one request.

        Args:
            model_name: name of a configured model, or "" for any other.
            api, entrypoint: for example "Predict" and "GRPC".
            code: grpc.StatusCode.
            seconds: from arrival to answer; recorded for successes only, as in TensorFlow Serving.
        """
        self._requests[model_name, code.name] += 1
        if code.value[0] == 0:
            self._latency.labels(model_name, api, entrypoint).observe(seconds * 1e6)

    def loaded(self, path, load_seconds, warmup_seconds):
        """Records the load of a version's directory and its duration."""
        self._loads[path, "success"] += 1
        self._load_times[path,] += load_seconds * 1e6
        self._warmup.labels(path, "OK").observe(warmup_seconds * 1e6)

    def not_loaded(self, path):
        """Records a failed load of a version's directory."""
        self._loads[path, "fail"] += 1

    def forget(self, path):
        """Drops the metrics of a version's directory, which would otherwise accumulate while the server runs."""
        self._load_times.pop((path,), None)
        for status in ("success", "fail"):
            self._loads.pop((path, status), None)
        with contextlib.suppress(KeyError):
            self._warmup.remove(path, "OK")

    def collect(self):
        """The counters, for prometheus_client."""
        for name, documentation, labels, values in (
            ("serving:request_count", "The total number of requests.", ("model_name", "status"), self._requests),
            (
                "cc:saved_model:load_attempt_count",
                "Attempts to load a SavedModel.",
                ("model_path", "status"),
                self._loads,
            ),
            (
                "cc:saved_model:load_latency",
                "Wall time (in microseconds) that loading a SavedModel took, without its warm-up.",
                ("model_path",),
                self._load_times,
            ),
        ):
            metric = Metric(_TENSORFLOW + name, documentation, "counter")
            for key, value in values.items():
                metric.add_sample(metric.name, dict(zip(labels, key)), value)
            yield metric

    def page(self):
        """The metrics in Prometheus' text format, bytes."""
        text = prometheus_client.generate_latest(self._registry)
        # prometheus_client declares every counter as NAME_total; TensorFlow Serving's counters lack the suffix.
        return re.sub(rb"(?m)^(# (?:HELP|TYPE) :tensorflow:\S+)_total ", rb"\1 ", text)
