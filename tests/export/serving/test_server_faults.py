"""10,000 requests during new, broken and deleted versions, new and wrong configs, disconnects and SIGTERM."""

import asyncio
import collections
import http.client
import json
import shutil
import signal
import socket
import time

import grpc
import numpy as np
import pytest
import requests
import served
from harness import TIMEOUT, request_of, serving
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, predict_pb2

State = get_model_status_pb2.ModelVersionStatus
_REQUESTS = 10_000
_WORKERS = 32
_WEIGHTS = 8_000_000  # 32 MB a version
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Versions to be copied into a served folder."""
    store = tmp_path_factory.mktemp("store")
    for version in (1, 2, 4, 5):
        served.numbered(store / str(version), version, _WEIGHTS)
    return store


@pytest.fixture
def base(store, tmp_path):
    base = tmp_path / "numbered"
    base.mkdir()
    appear(store, base, 1)
    return base


def appear(store, base, version):
    """A version's folder appears as an export makes it appear: whole."""
    shutil.copytree(store / str(version), base / ".building")
    (base / ".building").rename(base / str(version))


@pytest.fixture
def server(base, tmp_path):
    parameters = tmp_path / "batching.config"
    parameters.write_text(
        "max_batch_size { value: 64 } batch_timeout_micros { value: 500 } max_enqueued_batches { value: 100 }"
        "num_batch_threads { value: 2 } enable_large_batch_splitting { value: true }"
    )
    with serving(
        tmp_path,
        "--model_name=numbered",
        f"--model_base_path={base}",
        "--allow_reload_config_requests",
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
        "--shutdown_grace_seconds=20",
    ) as running:
        yield running


class Load:
    """Clients that never stop asking for the newest version, and what they got.

    Attributes:
        versions: how many answers came from each version.
        failures: what should not have happened, in words.
    """

    def __init__(self, address):
        self._channel = grpc.aio.insecure_channel(address)
        self._call = self._channel.unary_unary(_PREDICT, response_deserializer=predict_pb2.PredictResponse.FromString)
        self.versions, self.failures, self.answered = collections.Counter(), [], 0
        self._least, self._stopping = 0, False
        self._prepared = []
        for index in range(64):
            x = np.arange(index % 8 + 1, dtype=np.float32) + 1000 * index
            self._prepared.append((x.tolist(), request_of("numbered", {"x": x}).SerializeToString()))

    async def __aenter__(self):
        self._workers = [asyncio.ensure_future(self._work(number)) for number in range(_WORKERS)]
        return self

    async def __aexit__(self, *error):
        self._stopping = True
        await asyncio.gather(*self._workers)
        await self._channel.close()

    async def _work(self, number):
        while not self._stopping:
            number += 1
            await self.ask(*self._prepared[number % len(self._prepared)])

    async def ask(self, x, request):
        least = self._least
        try:
            response = await self._call(request, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            self.failures.append(f"{error.code()}: {error.details()}")
            return
        version = response.model_spec.version.value
        if list(response.outputs["version"].int64_val) != [version] * len(x):
            self.failures.append(f"version {version} was said, {response.outputs['version'].int64_val} answered")
        if list(response.outputs["x"].float_val) != x:
            self.failures.append(f"{x} was sent, {list(response.outputs['x'].float_val)} came back")
        if version < least:
            self.failures.append(f"version {version} answered though {least} was there when the request began")
        self.versions[version] += 1
        self.answered += 1

    def expect(self, least):
        """From now on, requests that begin are to be answered by version `least` or a later one."""
        self._least = least

    async def more(self, count):
        """Waits for so many answers more."""
        goal = self.answered + count
        await until(lambda: self.answered >= goal or self.failures)


async def until(condition, seconds=120):
    async def ask():
        while not condition():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(ask(), seconds)


def states(server, name="numbered"):
    request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": name})
    try:
        entries = server.models.GetModelStatus(request, timeout=TIMEOUT).model_version_status
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        return {}
    return {entry.version: entry.state for entry in entries}


async def reach(server, expected):
    """Waits until the versions have these states, others END."""

    def reached():
        now = {number: state for number, state in states(server).items() if state != State.END}
        return now == {number: state for number, state in expected.items() if state != State.END}

    await until(reached)


def reload_config(server, *entries):
    request = model_management_pb2.ReloadConfigRequest()
    for name, base in entries:
        request.config.model_config_list.config.add(name=name, base_path=str(base), model_platform="tensorflow")
    server.models.HandleReloadConfigRequest(request, timeout=120)


async def hang_up(server, load):
    """Clients that leave at any moment: before the answer, within a body, within a header."""
    calls = [load._call(load._prepared[7][1]) for _ in range(200)]
    for index, call in enumerate(calls):
        if index % 3:
            await asyncio.sleep(0)
        call.cancel()
    for index in range(60):
        text = (
            b"POST /v1/models/numbered:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n" + b'{"instances": ['
        )
        with socket.create_connection((server.host, server.rest_port)) as connection:
            connection.sendall(text[: (index + 1) * len(text) // 60])


async def scenario(server, base, store):
    address, step = f"{server.host}:{server.grpc_port}", _REQUESTS // 9
    async with Load(address) as load:
        await load.more(step)
        memory = server.memory()

        appear(store, base, 2)
        await reach(server, {2: State.AVAILABLE})
        load.expect(2)
        await load.more(step)

        (base / "3").mkdir()
        (base / "3" / "saved_model.pb").write_bytes(b"no model")
        await until(lambda: states(server).get(3) == State.END)
        await load.more(step)
        assert states(server)[2] == State.AVAILABLE
        shutil.rmtree(base / "3")

        appear(store, base, 4)
        await reach(server, {4: State.AVAILABLE})
        await load.more(step)
        # Deleted while requests use it: the newest remaining version takes over, and no request fails.
        shutil.rmtree(base / "4")
        await reach(server, {2: State.AVAILABLE})
        await load.more(step)

        await asyncio.to_thread(reload_config, server, ("numbered", base), ("other", store))
        assert states(server, "other") == {5: State.AVAILABLE}
        with pytest.raises(grpc.RpcError):
            await asyncio.to_thread(
                reload_config, server, ("numbered", base), ("broken", base / "2"), ("no", base / "x")
            )
        assert states(server, "other") == {5: State.AVAILABLE}
        await load.more(step)
        await asyncio.to_thread(reload_config, server, ("numbered", base))
        await until(lambda: states(server, "other") == {5: State.END})
        await load.more(step)

        await hang_up(server, load)
        await load.more(step)

        appear(store, base, 5)
        await reach(server, {5: State.AVAILABLE})
        load.expect(5)
        await load.more(_REQUESTS - load.answered)
        # One version is loaded, as at the start; six were loaded in between.
        grown = server.memory() - memory
    assert not load.failures, (len(load.failures), load.failures[:5])
    assert load.answered >= _REQUESTS and set(load.versions) == {1, 2, 4, 5} and 3 not in load.versions
    assert grown < 2 * 4 * _WEIGHTS, f"{grown / 2**20:.0f} MiB more than before"


async def drain(server):
    """SIGTERM while requests run: they are answered, and the process ends without waiting for abandoned runs."""
    slow = request_of("numbered", {"x": np.array([1e5], np.float32)}, "slow")
    body = {"signature_name": "slow", "instances": [1e5]}
    endless = json.dumps({**body, "instances": [1e9]}).encode()
    with socket.create_connection((server.host, server.rest_port)) as left:
        left.sendall(
            b"POST /v1/models/numbered:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: %d\r\n\r\n" % len(endless) + endless
        )
        await asyncio.sleep(1)
    async with grpc.aio.insecure_channel(f"{server.host}:{server.grpc_port}") as channel:
        call = channel.unary_unary(_PREDICT, response_deserializer=predict_pb2.PredictResponse.FromString)
        running = [call(slow.SerializeToString(), timeout=TIMEOUT) for _ in range(4)]
        over_rest = [http.client.HTTPConnection(server.host, server.rest_port, timeout=TIMEOUT) for _ in range(2)]
        for connection in over_rest:
            connection.request("POST", "/v1/models/numbered:predict", json.dumps(body))
        # Once these are answered, all earlier requests have arrived.
        await call(request_of("numbered", {"x": np.ones([1], np.float32)}).SerializeToString(), timeout=TIMEOUT)
        assert requests.get(server.url("/v1/models/numbered"), timeout=TIMEOUT).ok
        server.process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        for answer in await asyncio.gather(*running):
            assert list(answer.outputs["version"].int64_val) == [5]
        for connection in over_rest:
            answer = await asyncio.to_thread(connection.getresponse)
            assert json.load(answer) == {"predictions": [5]}
    assert await asyncio.to_thread(server.process.wait, 30) == 0
    # Well below the time limits, 20 seconds of these requests and 30 of REST requests.
    assert time.monotonic() - begin < 15


def test_no_request_fails_that_should_not(server, base, store):
    asyncio.run(scenario(server, base, store))
    asyncio.run(drain(server))
