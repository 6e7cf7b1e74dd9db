"""More than 5,000 generated requests, each wrong in a known way: each gets the right error, and the server survives."""

import asyncio
import gzip
import json
import socket
import urllib.parse
import zlib

import aiohttp
import grpc
import numpy as np
import tensorflow as tf
import yarl
from google.protobuf.message import DecodeError
from harness import TIMEOUT, X, predict, request_of
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

Code = grpc.StatusCode
_PREDICTION, _MODEL = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"
_MIB = 1 << 20
_NAMES = [
    "..",
    "../numbered",
    "/etc/passwd",
    "numbered/1",
    "%00",
    "\0",
    "a" * 5000,
    "größe",
    "numbered ",
    "NUMBERED",
    "*",
]


def _names(random, count):
    """Names that no model has."""
    letters = list("abcXYZ019._-~/%\\:;?#&= äß\t漢\u202e")
    made = ["".join(random.choice(letters, random.integers(1, 30))) for _ in range(count)]
    return [*_NAMES, *made]


def _request(x=None, **options):
    return request_of(options.pop("name", "numbered"), X if x is None else {"x": x}, **options)


def grpc_cases(random):
    """(method, bytes, code that is expected)."""
    predict = _PREDICTION + "Predict"
    cases = []

    def add(request, code, method=predict):
        cases.append((method, request if isinstance(request, bytes) else request.SerializeToString(), code))

    for name in _names(random, 300):
        add(_request(name=name), Code.NOT_FOUND)
        add(_request(signature=name), Code.FAILED_PRECONDITION)
        add(_request(label=name), Code.INVALID_ARGUMENT)
        add(request_of("numbered", {name: X["x"]}), Code.INVALID_ARGUMENT)
        add(_request(outputs=[name]), Code.INVALID_ARGUMENT)
        add(_request(name="", signature=name), Code.INVALID_ARGUMENT)
    for version in random.integers(-(2**63), 2**63 - 1, 150):
        add(_request(version=int(version)), Code.NOT_FOUND)
        status = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "numbered"})
        status.model_spec.version.value = int(version)
        add(status, Code.NOT_FOUND, _MODEL + "GetModelStatus")

    dtypes = [np.float64, np.float16, np.int8, np.int16, np.int32, np.int64, np.uint8, np.bool_, np.complex64, object]
    for dtype in dtypes:
        for size in range(20):
            add(_request(np.array([b"1"] * size if dtype is object else np.ones(size), dtype)), Code.INVALID_ARGUMENT)
    for _ in range(200):
        rank = int(random.integers(0, 6)) or 2
        shape = random.integers(0, 3, rank if rank != 1 else 0)
        add(_request(np.ones(shape, np.float32)), Code.INVALID_ARGUMENT)
    for size in random.integers(1025, 20_000, 60):
        add(_request(np.ones(size, np.float32)), Code.INVALID_ARGUMENT)

    def tensor(sizes=(3,), dtype=types_pb2.DT_FLOAT, unknown_rank=False, **content):
        request = _request()
        proto = tensor_pb2.TensorProto(dtype=dtype, **content)
        proto.tensor_shape.unknown_rank = unknown_rank
        for size in sizes:
            proto.tensor_shape.dim.add(size=size)
        request.inputs["x"].CopyFrom(proto)
        return request

    # Small messages that declare large tensors.
    for power in range(11, 63):
        add(tensor([2**power], float_val=[1.0]), Code.INVALID_ARGUMENT)
        add(tensor([2**power, 2**power], float_val=[1.0]), Code.INVALID_ARGUMENT)
        add(tensor([-(2**power)], float_val=[1.0]), Code.INVALID_ARGUMENT)
    for length in [*range(12), *range(13, 60)]:
        add(tensor(tensor_content=bytes(length)) if length else tensor(unknown_rank=True), Code.INVALID_ARGUMENT)
    for number in range(30, 180):
        add(tensor(dtype=number, float_val=[1.0]), Code.INVALID_ARGUMENT)
    for values in range(4, 30):
        add(tensor(float_val=np.ones(values).tolist()), Code.INVALID_ARGUMENT)
    for count in range(2, 30):
        add(_request(outputs=["x"] * count), Code.INVALID_ARGUMENT)
        add(request_of("numbered", {f"x{index}": X["x"] for index in range(count)}), Code.INVALID_ARGUMENT)

    whole = _request(np.arange(100, dtype=np.float32)).SerializeToString()
    for _ in range(500):
        cut = bytearray(whole[: random.integers(1, len(whole))])
        for _ in range(random.integers(0, 4)):
            cut[random.integers(len(cut))] = random.integers(256)
        try:
            predict_pb2.PredictRequest.FromString(bytes(cut))
        except DecodeError:
            add(bytes(cut), Code.INTERNAL)
    for name in _names(random, 60):
        metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[name])
        metadata.model_spec.name = "numbered"
        add(metadata, Code.INVALID_ARGUMENT, _PREDICTION + "GetModelMetadata")
        reload = model_management_pb2.ReloadConfigRequest()
        reload.config.model_config_list.config.add(name="x", base_path=f"{name}/nowhere", model_platform="tensorflow")
        add(reload, Code.INVALID_ARGUMENT, _MODEL + "HandleReloadConfigRequest")
    add(model_management_pb2.ReloadConfigRequest(), Code.INVALID_ARGUMENT, _MODEL + "HandleReloadConfigRequest")
    for method in ("Classify", "Regress", "MultiInference", "Nothing"):
        add(b"", Code.UNIMPLEMENTED, _PREDICTION + method)
    add(b"", Code.UNIMPLEMENTED, "/tensorflow.serving.SessionService/SessionRun")
    for extra in range(4):
        add(bytes((16 + extra) * _MIB + 1), Code.RESOURCE_EXHAUSTED)
    for values in ([np.nan], [np.inf, -np.inf], [3.4e38, 1e-45]):
        add(_request(np.array(values, np.float32)), Code.OK)
    return cases


def rest_cases(random):
    """(method, path as it is sent, body, headers, status that is expected)."""
    cases, path, good = [], "/v1/models/numbered:predict", b'{"instances": [1.0, 2.0]}'

    def add(status, path=path, body=good, method="POST", headers=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        cases.append((method, path, body, headers, status))

    for name in _names(random, 250):
        quoted = urllib.parse.quote(name, safe="")
        add(404, f"/v1/models/{quoted}:predict")
        add(404, f"/v1/models/{quoted}", b"", "GET")
        add(404, f"/v1/models/{quoted}/metadata", b"", "GET")
        add(400, f"/v1/models/numbered/labels/{quoted}:predict")
        add(400, body={"signature_name": name, "instances": [1.0]})
        add(400, body={"instances": [{name: 1.0}]})
        add(400, f"/v1/models/numbered/{quoted}:predict")
    for trick in (
        "../../etc/passwd",
        "..%2f..%2fetc",
        "numbered/versions/1/../../..",
        "numbered//",
        "numbered/versions/x",
    ):
        for end in ("", ":predict", "/metadata", ":predict/..", "?x=:predict"):
            status = 404 if trick == "..%2f..%2fetc" and end in (":predict", "?x=:predict") else 400
            if end != "?x=:predict" and not (trick == "..%2f..%2fetc" and end == ":predict"):
                add(status, f"/v1/models/{trick}{end}")
    for version in random.integers(3, 2**62, 60):
        add(404, f"/v1/models/numbered/versions/{version}:predict")
        add(404, f"/v1/models/numbered/versions/{version}", b"", "GET")
        add(400, f"/v1/models/numbered/versions/{version}{version}{version}:predict")
    add(400, f"/v1/models/numbered/versions/{'1' * 5000}", b"", "GET")
    add(200, f"/v1/models/numbered/versions/{'0' * 5000}1", b"", "GET")
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "POST"):
        add(400, "/v1/models/numbered", method=method)
    for place in ("/v2/models/numbered", "/v10", "/etc/passwd", "/gallery/../v1", "/gallery/models/numbered", "/.git"):
        add(404, place, b"", "GET")

    wrong = [True, None, "1", {}, {"b64": "AA=="}, {"y": 1}, [1.0], [[1.0]], []]
    for value in wrong:
        for index in range(12):
            rows = [1.0] * index
            add(400, body={"instances": [*rows, value, *([1.0] if index or value in ([1.0], [[1.0]], []) else [])]})
            add(400, body={"inputs": {"x": [*rows, value, *([1.0] if index or value in ([1.0], [[1.0]], []) else [])]}})
    for value in (True, None, "x", 3, {}, []):
        add(400, body={"instances": value})
        add(400, body=value)
        add(400, body={"signature_name": 1, "instances": value})
    for name, low, high in (
        ("int8", -128, 127),
        ("uint8", 0, 255),
        ("int32", -(2**31), 2**31 - 1),
        ("uint64", 0, 2**64 - 1),
    ):
        for value in (low - 1, high + 1, 0.5, 1.0, 10**30, True):
            add(400, "/v1/models/identity:predict", {"signature_name": name, "inputs": [[value]]})
    for text in ("!", "AAA=AAA", "ä", "=" * 50, "A"):
        add(400, "/v1/models/identity:predict", {"signature_name": "string", "inputs": [[{"b64": text}]]})
    for size in random.integers(1025, 5000, 40):
        add(400, body={"instances": [1.0] * int(size)})

    for _ in range(400):
        add(400, body=good[: random.integers(0, len(good) - 1)])
        add(400, body=random.bytes(random.integers(1, 200)))
    for depth in (2, 5, 50, 500, 5000, 50_000, 250_000):
        for opening in (b"[", b'{"instances":', b'{"instances":['):
            add(400, body=opening * depth)
        add(400, body=b'{"instances":' + b"[" * depth + b"]" * depth + b"}")
    add(400, body=b'{"instances": [' + b"9" * 6000 + b"]}")
    add(413, body=b" " * (4 * _MIB + 1))
    for _ in range(3):
        add(400, body=b'{"instances": [' + b"[]," * ((4 * _MIB - 30) // 3) + b"[]]}")
    # Compressed bodies: of other kinds, cut, larger than allowed once they are plain.
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    sound = {"gzip": [gzip.compress(good)], "deflate": [zlib.compress(good), bare.compress(good) + bare.flush()]}
    for encoding, bodies in sound.items():
        for body in bodies:
            add(200, body=body, headers={"Content-Encoding": encoding})
            add(400, body=body[:-3], headers={"Content-Encoding": encoding})
            add(415, body=body, headers={"Content-Encoding": "br"})
        add(413, body=gzip.compress(bytes(64 * _MIB)), headers={"Content-Encoding": "gzip"})
        for body in (b"", b"abcd", b"no gzip", good):
            add(400, body=body, headers={"Content-Encoding": encoding})
    for tokens in ("NaN", "Infinity", "-Infinity", "1e999", "1e-999"):
        add(200, body=f'{{"instances": [{tokens}]}}'.encode())
    return cases


async def send_grpc(server, cases):
    """The cases that were answered with another code than expected."""
    wrong, limit = [], asyncio.Semaphore(16)
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(f"{server.host}:{server.grpc_port}", options=options) as channel:

        async def send(method, body, expected):
            async with limit:
                try:
                    await channel.unary_unary(method)(body, timeout=TIMEOUT)
                    code, message = Code.OK, ""
                except grpc.aio.AioRpcError as error:
                    code, message = error.code(), error.details()
            if code is not expected or (code is not Code.OK and not message):
                wrong.append((method, body[:100], expected, code, message))

        await asyncio.gather(*(send(*case) for case in cases))
    return wrong


async def send_rest(server, cases):
    """The same for REST. Every error must be {"error": message}."""
    wrong, limit = [], asyncio.Semaphore(16)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT)) as session:

        async def send(method, path, body, headers, expected):
            url = yarl.URL(server.url(path), encoded=True)
            async with limit, session.request(method, url, data=body, headers=headers) as answer:
                text = await answer.text()
            if answer.status != expected or (expected != 200 and not json.loads(text)["error"]):
                wrong.append((method, path[:100], body[:100], expected, answer.status, text[:200]))

        await asyncio.gather(*(send(*case) for case in cases))
    return wrong


def slow_clients(server):
    """Connections that send a header, or a body, and never end it."""
    connections = []
    for index in range(60):
        connection = socket.create_connection((server.host, server.rest_port))
        head = b"POST /v1/models/numbered:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n"
        connection.sendall(head + (b"\r\n{" if index % 2 else b""))
        connections.append(connection)
    return connections


def check_closed(connections):
    """All of them are answered with an error or closed."""
    for connection in connections:
        connection.settimeout(30)
        answer = connection.recv(1000)
        assert not answer or answer.split()[1] in (b"504", b"408"), answer
        connection.close()


def test_every_wrong_request_gets_the_right_code(embedded):
    random = np.random.default_rng(0)
    over_grpc, over_rest = grpc_cases(random), rest_cases(random)
    assert len(over_grpc) + len(over_rest) >= 5000
    before = embedded.memory()
    slow = slow_clients(embedded)
    wrong = asyncio.run(send_grpc(embedded, over_grpc)) + asyncio.run(send_rest(embedded, over_rest))
    assert not wrong, (len(wrong), wrong[:8])
    check_closed(slow)
    assert embedded.process.poll() is None
    log = embedded.log.read_text()
    assert "Traceback" not in log
    assert "REST 404: GET '/v2/models/numbered'" in log  # Of what no handler takes, too.
    np.testing.assert_array_equal(tf.make_ndarray(predict(embedded, "half_plus_two", X).outputs["y"]), [2.5, 3.0, 4.5])
    # Bodies of 16 MiB came by the dozen, as many at a time as there were clients.
    assert embedded.memory("VmHWM") - before < 768 * _MIB
    assert embedded.memory() - before < 256 * _MIB
