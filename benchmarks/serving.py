"""Throughput of the embedded server relative to the same SavedModel called in process at its best batch size.

Clients run in separate processes and send requests for 1 to 8 images. To leave out the clients' cost, requests are
serialised before the timing, and responses are counted but not decoded. Clients still share the machine's cores with
the server, so the output has images a second of wall time, images a second of the server's processor time, and the
clients' share of the processor time. Medians of interleaved turns in one run.

  python -m benchmarks.serving [--saved_model=DIR] [--image_size=64] [--signature=serving_default]

Without --saved_model, an untrained generator is exported first: that of the Fashion-MNIST config, or, with another
--image_size than 28, that of the DCGAN paper (64 channels and multiples, 100 latents, colour). The server's own cost of
a request is about the same for all models, the cost of the model is not.
"""

import contextlib
import multiprocessing
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags

_MODEL = flags.DEFINE_string("saved_model", None, "A version's directory; by default an untrained generator.")
_SIZE = flags.DEFINE_enum("image_size", "28", ["28", "32", "64", "128"], "Side of the images, without --saved_model.")
_SIGNATURE = flags.DEFINE_string("signature", "serving_default", "Signature with one input; latents or seeds.")
_CLIENTS = flags.DEFINE_integer("clients", 64, "Concurrent clients.")
_PROCESSES = flags.DEFINE_integer("processes", 2, "Processes that the clients are spread over.")
_SECONDS = flags.DEFINE_float("seconds", 8, "Length of a turn.")
_ROUNDS = flags.DEFINE_integer("rounds", 3, "Turns of each side.")
_BATCH = flags.DEFINE_integer("max_batch_size", 128, "Rows of a batch.")

_PREDICT = "/tensorflow.serving.PredictionService/Predict"


def _inputs(signature, count, seed=0):
    """(alias, random rows [count, …]) of a signature's single input."""
    ((alias, spec),) = signature.items()
    random, shape = np.random.default_rng(seed), [count, *spec.shape[1:]]
    dtype = spec.dtype.as_numpy_dtype
    return alias, random.integers(0, 2**40, shape) if spec.dtype.is_integer else random.normal(size=shape).astype(dtype)


def _export(folder):
    import zoo
    from export.saved_model import export_saved_model

    size = int(_SIZE.value)
    shape, latents = ((28, 28, 1), 64) if size == 28 else ((size, size, 3), 100)
    generator = zoo.DCGANGenerator(shape, latent_dim=latents, base_filters=64)
    return export_saved_model(generator, latents, shape, folder, "model")


def _client(address, requests, clients, seconds, ready, go, results):
    """A process of clients; puts (images, latencies in seconds, processor seconds, failures) into `results`."""
    import asyncio

    import grpc

    async def work(call, start, end, mine):
        images, latencies, failures = 0, [], 0
        index = start
        while (begin := time.perf_counter()) < end:
            size, request = mine[index % len(mine)]
            index += 1
            try:
                await call(request, timeout=60)
            except grpc.aio.AioRpcError:
                failures += 1
                continue
            if time.perf_counter() <= end:
                images += size
                latencies.append(time.perf_counter() - begin)
        return images, latencies, failures

    async def run():
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_unary(_PREDICT)
            await channel.channel_ready()
            ready.wait()
            go.wait()
            start, end = time.process_time(), time.perf_counter() + seconds
            done = await asyncio.gather(*(work(call, 7 * number, end, requests) for number in range(clients)))
            images, latencies, failures = zip(*done)
            used = time.process_time() - start
            results.put((sum(images), [each for part in latencies for each in part], used, sum(failures)))

    asyncio.run(run())


class Server:
    """The embedded server in a subprocess, measured in turns of clients."""

    def __init__(self, base, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        arguments = [f"--port={self._port}", "--rest_api_port=0", "--model_name=model", f"--model_base_path={base}"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "export.serving.server", *arguments, *options],
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self):
        import grpc

        with grpc.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=300)

    def turn(self, requests):
        """One turn: (images a second, latencies, processor seconds of the server, of the clients)."""
        context = multiprocessing.get_context("spawn")
        processes, results = _PROCESSES.value, context.Queue()
        ready, go = context.Barrier(processes + 1), context.Event()
        share = (f"127.0.0.1:{self._port}", requests, _CLIENTS.value // processes, _SECONDS.value, ready, go, results)
        workers = [context.Process(target=_client, args=share) for _ in range(processes)]
        for worker in workers:
            worker.start()
        ready.wait()
        before = self._used()
        go.set()
        answers = [results.get(timeout=_SECONDS.value + 120) for _ in workers]
        used = self._used() - before
        for worker in workers:
            worker.join()
        if any(failures for *_, failures in answers):
            raise AssertionError(f"{sum(failures for *_, failures in answers)} requests failed")
        images = sum(images for images, *_ in answers) / _SECONDS.value
        return images, [each for answer in answers for each in answer[1]], used, sum(answer[2] for answer in answers)

    def _used(self):
        fields = pathlib.Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self._process.terminate()
        self._process.wait(60)


def _in_process(servable, signature, alias, batches, seconds):
    """Throughput without a server at the best batch size: (images/s, batch size, images per processor second)."""
    best = (0, 0, 0)
    for size, rows in batches.items():
        images, start, used = 0, time.perf_counter(), _processor()
        while time.perf_counter() - start < seconds:
            signature.run({alias: rows})
            images += size
        rate = images / (time.perf_counter() - start)
        best = max(best, (rate, size, images / (_processor() - used)))
    return best


def _processor():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(argv):
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    from export.serving.servable import Servable

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        version = pathlib.Path(_MODEL.value or _export(folder)).resolve()
        servable = Servable(str(version))
        signature = servable.signature(_SIGNATURE.value)
        requests = []
        for index in range(64):
            size = index % 8 + 1
            alias, rows = _inputs(signature.inputs, size, index)
            request = predict_pb2.PredictRequest(inputs={alias: tf.make_tensor_proto(rows)})
            request.model_spec.name, request.model_spec.signature_name = "model", _SIGNATURE.value
            requests.append((size, request.SerializeToString()))
        batches = {size: _inputs(signature.inputs, size)[1] for size in (8, 16, 32, 64, 128, 256)}
        for rows in batches.values():
            signature.run({alias: rows})

        parameters = pathlib.Path(folder) / "batching.config"
        parameters.write_text(
            f"max_batch_size {{ value: {_BATCH.value} }} batch_timeout_micros {{ value: 0 }} "
            f"max_enqueued_batches {{ value: {_CLIENTS.value} }} num_batch_threads {{ value: 1 }}"
        )
        as_bytes = "--enable_serialization_as_tensor_content"
        batching = ("--enable_batching", f"--batching_parameters_file={parameters}")
        servers = {
            "server, batching": Server(version.parent, *batching, as_bytes),
            "server, no batching": Server(version.parent, as_bytes),
        }
        for server in servers.values():
            stack.callback(server.close)
            server.turn(requests)

        rates, latencies, inside = {name: [] for name in servers}, {name: [] for name in servers}, []
        processor = {name: [] for name in servers}
        for _ in range(_ROUNDS.value):
            inside.append(_in_process(servable, signature, alias, batches, _SECONDS.value / len(batches)))
            for name, server in servers.items():
                images, times, used, clients = server.turn(requests)
                rates[name].append(images)
                latencies[name] += times
                processor[name].append((images * _SECONDS.value / used, clients / (used + clients)))

    rate, per_second = statistics.median(each[0] for each in inside), statistics.median(each[2] for each in inside)
    sizes = ", ".join(sorted({str(each[1]) for each in inside}))
    print(f"{'in process':20s} {rate:8,.0f} images/s  {per_second:8,.0f} a processor second  best batch {sizes}")
    for name in servers:
        images = statistics.median(rates[name])
        each, share = (statistics.median(values) for values in zip(*processor[name]))
        p50, p95, p99 = (1e3 * np.percentile(latencies[name], q) for q in (50, 95, 99))
        print(
            f"{name:20s} {images:8,.0f} images/s  {each:8,.0f} a processor second  "
            f"{images / rate:.1%} and {each / per_second:.1%} of in process  "
            f"p50 {p50:.0f}  p95 {p95:.0f}  p99 {p99:.0f} ms  clients take {share:.0%} of the processor time"
        )


if __name__ == "__main__":
    app.run(main)
