"""Memory and time limits of requests: too large ones are refused, and memory is freed afterwards."""

import asyncio
import gc
import json
import threading
import time
import types
import weakref

import numpy as np
import pytest
import served
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from harness import TIMEOUT, request_of

from export.serving import json_tensors, rest
from export.serving.api import Api
from export.serving.errors import ServingError, invalid
from export.serving.grpc_service import PredictionService
from export.serving.models import Manager, config_of_models
from export.serving.monitoring import Metrics
from export.serving.servable import Limits, Signature, check_outputs

_PATH = "/v1/models/numbered:predict"
_LARGEST = 1000  # bytes of a body


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("limits")
    served.numbered(base / "1", 1)
    return base


def asked(base, scenario, **limits):
    """Runs `scenario(client, api)` beside a REST half with these limits."""

    async def whole():
        manager, metrics = Manager(), Metrics()
        await manager.reload(config_of_models({"numbered": base}))
        api = Api(manager, metrics, Limits(**limits))
        application = web.Application(middlewares=[rest.errors_as_json])
        application.add_routes(rest.Rest(api, TIMEOUT, _LARGEST).routes())
        async with TestClient(TestServer(application)) as client:
            await scenario(client, api)
        await manager.close()

    asyncio.run(whole())


def body_of(rows):
    return json.dumps({"instances": [1.0] * rows}).encode()


def test_a_response_is_refused_before_it_is_computed(base):
    # An int64 and a float32 a row.
    async def scenario(client, api):
        assert (await client.post(_PATH, data=body_of(8))).status == 200
        version = api.manager._find(request_of("numbered", {}).model_spec)
        version.run, run = None, version.run
        answer = await client.post(_PATH, data=body_of(9))
        assert answer.status == 400
        told = "the response would have 108 bytes; at most 100 are sent, ask for fewer examples"
        assert await answer.json() == {"error": told}
        with pytest.raises(ServingError, match="would have 204 bytes; at most 200"):
            await PredictionService(api, TIMEOUT)._predict(request_of("numbered", {"x": np.ones(17, np.float32)}), 0)
        version.run = run

    asked(base, scenario, response_bytes=200, json_response_bytes=100)


def test_what_only_the_run_tells_is_checked_after_it(base, monkeypatch):
    outputs = {"x": np.ones([2, 3], np.float32), "png": np.array([b"12345", b"123"], object)}
    check_outputs(outputs, 32)
    with pytest.raises(ServingError, match="would have 32 bytes; at most 31"):
        check_outputs(outputs, 31)
    monkeypatch.setattr(Signature, "check_response", lambda *args: None)

    async def scenario(client, api):
        answer = await client.post(_PATH, data=body_of(9))
        assert answer.status == 400 and "would have 108 bytes; at most 100" in (await answer.json())["error"]
        request, deadline = request_of("numbered", {"x": np.ones(17, np.float32)}), time.monotonic() + TIMEOUT
        with pytest.raises(ServingError, match="would have 204 bytes; at most 200"):
            await PredictionService(api, TIMEOUT)._predict(request, deadline)

    asked(base, scenario, response_bytes=200, json_response_bytes=100)


def test_a_run_has_the_time_of_its_request(base):
    seconds = []

    async def run(signature, inputs, deadline):
        seconds.append(deadline - time.monotonic())
        return {"version": np.ones(1, np.int64), "x": np.ones(1, np.float32)}

    async def scenario(client, api):
        version = api.manager._find(request_of("numbered", {}).model_spec)
        version.run, kept = run, version.run
        assert (await client.post(_PATH, data=body_of(1))).status == 200
        for remaining in (None, 1e9, 7):
            context = types.SimpleNamespace(time_remaining=lambda remaining=remaining: remaining)
            await PredictionService(api, 20).Predict(request_of("numbered", {"x": np.ones(1, np.float32)}), context)
        version.run = kept

    asked(base, scenario)
    for left, most in zip(seconds, (TIMEOUT, 20, 20, 7), strict=True):
        assert most - 5 < left <= most


def test_too_many_examples_are_refused_before_each_is_looked_at():
    limits, signature = Limits(examples=2), types.SimpleNamespace(inputs={"x": None})
    with pytest.raises(ServingError, match="'instances' has 3 examples; at most 2"):
        json_tensors.read_inputs({"instances": [[], {}, [1]]}, signature, limits)


def test_a_body_is_refused_as_soon_as_it_is_too_large(base):
    async def parts():
        for _ in range(3):
            yield body_of(100)

    async def scenario(client, api):
        answer = await client.post(_PATH, data=body_of(400))
        assert answer.status == 413 and "larger than 1000 bytes" in (await answer.json())["error"]
        # The same for a chunked body, without Content-Length.
        answer = await client.post(_PATH, data=parts())
        assert answer.status == 413

    asked(base, scenario)


def test_bodies_in_memory_are_limited_together(base):
    async def scenario(client, api):
        head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n".encode()
        connections = [await asyncio.open_connection(client.host, client.port) for _ in range(rest._BODIES)]
        for _, writer in connections:
            writer.write(head + b"[" * 990)
        await asyncio.sleep(0.2)
        answer = await client.post(_PATH, data=body_of(50))
        assert answer.status == 503 and "at the same time" in (await answer.json())["error"]
        for _, writer in connections:
            writer.close()
        for _ in range(500):
            if (await client.post(_PATH, data=body_of(50))).status == 200:
                return
            await asyncio.sleep(0.02)
        pytest.fail("bodies that were given up are still counted")

    asked(base, scenario)


def test_memory_is_given_back_after_a_large_body(base, monkeypatch):
    given_back = threading.Event()
    monkeypatch.setattr(rest, "give_back", given_back.set)
    monkeypatch.setattr(rest, "_LARGE", 200)

    async def scenario(client, api):
        for rows, expected in ((2, False), (100, True)):
            await client.post(_PATH, data=body_of(rows))
            assert await asyncio.to_thread(given_back.wait, TIMEOUT if expected else 1.2) is expected

    asked(base, scenario)


def test_a_failed_request_frees_at_once_what_it_was_read_into():
    documents = []

    class Document:
        pass

    async def work():
        document = Document()
        documents.append(weakref.ref(document))
        raise invalid("wrong")

    async def scenario():
        with pytest.raises(ServingError, match="wrong"):
            await Api(Manager(), Metrics(), Limits()).answer("numbered", "Predict", "REST", TIMEOUT, work())
        assert documents[0]() is None

    gc.disable()
    try:
        asyncio.run(scenario())
    finally:
        gc.enable()


def test_the_error_of_a_document_does_not_hold_it(monkeypatch):
    documents = []

    class Document(dict):
        pass

    def parse(body):
        document = Document(instances=3)
        documents.append(weakref.ref(document))
        return document

    monkeypatch.setattr(json_tensors, "parse", parse)
    servable = types.SimpleNamespace(signature=lambda name: types.SimpleNamespace(inputs={"x": None}))
    with pytest.raises(ServingError, match="Expecting 'instances'") as raised:
        rest._read(b"", "identity", 1, servable, Limits())
    assert raised.value and documents[0]() is None


def test_garbage_is_not_collected_while_parsing_and_again_after_it(monkeypatch):
    collects, loads = [], json.loads
    with monkeypatch.context() as watched:
        watched.setattr(json, "loads", lambda body: collects.append(gc.isenabled()) or loads(body))
        json_tensors.parse(b"{}")
    assert collects == [False]
    for wrong in (b"{", b"[" * 100_000):
        with pytest.raises(ServingError):
            json_tensors.parse(wrong)
    assert gc.isenabled()


@pytest.mark.parametrize("shape", [(70_001,), (3, 20_000), (1000, 7, 5), (0, 4), (5, 0)])
def test_large_answers_are_written_in_pieces_between_which_others_proceed(shape, monkeypatch):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    written, dumps = [], json_tensors.orjson.dumps

    def recorded(document, **options):
        (value,) = document.values() if isinstance(document, dict) else [document]
        written.append(value.nbytes)
        return dumps(document, **options)

    monkeypatch.setattr(json_tensors.orjson, "dumps", recorded)
    for rows, key in ((True, "predictions"), (False, "outputs")):
        found = json.loads(json_tensors.write_outputs({"y": values}, rows))
        assert list(found) == [key] and len(found[key]) == len(values)
        np.testing.assert_array_equal(np.float32(found[key]).reshape(shape), values)
    # A row is not divided.
    assert max(written) <= max(1 << 16, values[:1].nbytes)
