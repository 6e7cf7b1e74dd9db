"""The server beyond TensorFlow Serving's API: routes of the web page, metrics, and refusals at startup."""

import asyncio
import contextlib
import gc
import os
import re
import signal
import socket
import threading
import time
import types

import aiohttp
import grpc
import pytest
import requests
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from harness import MODEL_SERVER_FLAGS, REPOSITORY, TIMEOUT, free_port, program, wait_until
from prometheus_client import parser
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from export.serving import gallery, json_tensors, lifecycle, models, monitoring, protos, rest, server
from export.serving.api import Api
from export.serving.errors import ServingError, invalid
from export.serving.servable import Limits
from zoo.errors import RequestError


@pytest.mark.parametrize(
    ("digits", "version"),
    [("7", 7), ("0", 0), ("0" * 5000 + "1", 1), (str(2**63 - 1), 2**63 - 1), (str(2**63), None), ("1" * 5000, None)],
)
def test_a_version_in_a_path_is_a_number_or_refused(digits, version):
    match = rest._STATUS.fullmatch(f"/v1/models/m/versions/{digits}")
    if version is None:
        with pytest.raises(ServingError, match=r"Failed to convert version: \d+ to numeric"):
            rest._spec(match)
    else:
        assert rest._spec(match).version.value == version


def test_the_page_learns_which_models_there_are(embedded):
    models = requests.get(embedded.url("/gallery/models"), timeout=TIMEOUT).json()["models"]
    by_name = {model["name"]: model for model in models}
    assert by_name["numbered"] == {
        "name": "numbered",
        "versions": [{"version": 2, "state": "AVAILABLE"}, {"version": 1, "state": "AVAILABLE"}],
        "labels": {"stable": 1, "canary": 2},
    }
    assert len(models) == 8


def test_a_versions_papers_are_shown_in_a_sandbox_and_no_other_file_is(embedded, models):
    path = "/gallery/models/generator/versions/1/files/"
    answer = requests.get(embedded.url(path + "model_card.md"), timeout=TIMEOUT)
    assert answer.text == (models / "generator" / "1" / "assets.extra" / "model_card.md").read_text()
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    answer = requests.get(embedded.url(path + "model_card.json"), timeout=TIMEOUT)
    assert answer.json()["name"] == "generator" and answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    for name in (
        "report.html",
        "..%2f..%2fsaved_model.pb",
        "%2e%2e/saved_model.pb",
        "tf_serving_warmup_requests",
    ):
        answer = requests.get(embedded.url(path + name), timeout=TIMEOUT)
        assert answer.status_code == 404 and "error" in answer.json(), name
    for wrong in ("generator/versions/2", "..%2fgenerator/versions/1", "nowhere/versions/1"):
        answer = requests.get(embedded.url(f"/gallery/models/{wrong}/files/model_card.md"), timeout=TIMEOUT)
        assert answer.status_code == 404


def test_metrics_count_requests_by_model_and_status(embedded):
    def count(status):
        page = requests.get(embedded.url("/monitoring/prometheus/metrics"), timeout=TIMEOUT).text
        sample = rf':tensorflow:serving:request_count{{model_name="half_plus_two",status="{status}"}} ([0-9.]+)'
        found = re.search(sample, page)
        return float(found[1]) if found else 0

    before, wrong = count("OK"), count("INVALID_ARGUMENT")
    url = embedded.url("/v1/models/half_plus_two:predict")
    for _ in range(3):
        assert requests.post(url, json={"instances": [1.0]}, timeout=TIMEOUT).ok
    assert not requests.post(url, json={"instances": ["x"]}, timeout=TIMEOUT).ok
    assert not requests.get(embedded.url("/v1/models/made_up"), timeout=TIMEOUT).ok
    assert (count("OK"), count("INVALID_ARGUMENT")) == (before + 3, wrong + 1)
    page = requests.get(embedded.url("/monitoring/prometheus/metrics"), timeout=TIMEOUT).text
    assert ':tensorflow:serving:request_latency_bucket{API="Predict",entrypoint="REST",le="10.0"' in page
    assert "made_up" not in page


def test_metrics_have_types(embedded):
    page = requests.get(embedded.url("/monitoring/prometheus/metrics"), timeout=TIMEOUT).text
    types = {family.name: family.type for family in parser.text_string_to_metric_families(page)}
    assert types[":tensorflow:serving:request_count"] == "counter"
    assert types[":tensorflow:serving:request_latency"] == "histogram"
    assert not {"untyped", "unknown"} & set(types.values())


def test_metrics_tell_an_operator_of_memory_requests_under_way_and_loads(embedded, models):
    page = requests.get(embedded.url("/monitoring/prometheus/metrics"), timeout=TIMEOUT).text
    values = dict(line.rsplit(" ", 1) for line in page.splitlines())
    assert float(values["process_resident_memory_bytes"]) == pytest.approx(embedded.memory(), rel=0.2)
    assert values['gan_zoo_serving_enqueued{queue="run"}'] == "0.0"
    assert values['gan_zoo_serving_requests_in_flight{entrypoint="REST"}'] == "0.0"
    loads = ":tensorflow:cc:saved_model:load"
    for version in ("generator/1", "numbered/1", "numbered/2"):
        path = f'model_path="{models}/{version}"'
        assert values[f'{loads}_attempt_count{{{path},status="success"}}'] == "1.0"
        assert 1e3 < float(values[f"{loads}_latency{{{path}}}"]) < 1e9
    warmup = {
        version: float(
            values[f':tensorflow:serving:model_warmup_latency_sum{{model_path="{models}/{version}",status="OK"}}']
        )
        for version in ("generator/1", "numbered/1")
    }
    # The generator alone carries requests to warm up with.
    assert warmup["generator/1"] > 10 * warmup["numbered/1"]
    assert warmup["numbered/1"] < 0.1 * float(values[f'{loads}_latency{{model_path="{models}/numbered/1"}}'])


def test_requests_under_way_are_counted():
    metrics = monitoring.Metrics()

    async def under_way():
        return re.search(r'requests_in_flight\{entrypoint="GRPC"\} (\S+)', metrics.page().decode())[1]

    answer = Api(models.Manager(), metrics, Limits()).answer("m", "Predict", "GRPC", 10, under_way())
    assert asyncio.run(answer) == "1.0" and asyncio.run(under_way()) == "0.0"


def test_every_request_is_logged_in_a_line(embedded):
    for name in ("numbered", "made_up\nI1123 08:15 1 api.py:1] " + 9 * "GRPC "):
        request = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": name})
        with contextlib.suppress(grpc.RpcError):
            embedded.models.GetModelStatus(request, timeout=TIMEOUT)
    assert requests.get(embedded.url("/v1/models/numbered"), timeout=TIMEOUT).ok
    *_, known, made_up, over_rest = re.findall(r"(?m)^[IW][^\]]*\] ((?:GRPC|REST) .*)$", embedded.log.read_text())
    assert re.fullmatch(r"GRPC GetModelStatus numbered OK \d+\.\d ms", known)
    cut = r"'made_up I1123 08:15 1 api.py:1\] (GRPC ){6}GR…'"
    assert re.fullmatch(rf"GRPC GetModelStatus {cut} NOT_FOUND \d+\.\d ms: 'Could not find any versions .*'", made_up)
    assert re.fullmatch(r"REST GetModelStatus numbered OK \d+\.\d ms", over_rest)


def test_a_request_that_fails_is_logged_with_its_cause(embedded):
    body = {"signature_name": "non_negative", "instances": [1.0, -1.0]}
    answer = requests.post(embedded.url("/v1/models/named:predict"), json=body, timeout=TIMEOUT)
    assert "Condition x >= 0 did not hold" in answer.json()["error"] and "node" not in answer.json()["error"]
    assert requests.get(embedded.url("/v1/nothing%1B"), timeout=TIMEOUT).status_code == 400
    *_, failed, malformed = re.findall(r"(?m)^W[^\]]*\] ((?:GRPC|REST) .*)$", embedded.log.read_text())
    told = re.fullmatch(r"REST Predict named INVALID_ARGUMENT (\d+\.\d) ms: 'assertion failed: .* x >= 0 .*'", failed)
    assert float(told[1]) > 0.0  # TensorFlow's part alone is more than the 0.05 ms that would be rounded off.
    assert malformed == "REST malformed: GET '/v1/nothing%1B'"


def test_what_grpc_refuses_is_logged_too(embedded):
    with pytest.raises(grpc.RpcError):
        embedded.prediction.Classify(classification_pb2.ClassificationRequest(), timeout=TIMEOUT)
    with pytest.raises(grpc.RpcError):
        embedded.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(b"\xff", timeout=TIMEOUT)
    *_, unsupported, malformed = re.findall(r"(?m)^W[^\]]*\] (GRPC .*)$", embedded.log.read_text())
    assert re.fullmatch(r"GRPC Classify '' UNIMPLEMENTED \d+\.\d ms: 'Classify is not supported.*'", unsupported)
    assert re.fullmatch(r"GRPC malformed Predict from ipv4:127\.0\.0\.1:\d+: .+", malformed)


def test_who_hangs_up_is_counted_as_cancelled(embedded):
    def page():
        return requests.get(embedded.url("/monitoring/prometheus/metrics"), timeout=TIMEOUT).text

    def counts():
        found = dict(re.findall(r'request_count{model_name="numbered",status="(\w+)"} ([0-9.]+)', page()))
        return [float(found.get(status, 0)) for status in ("INTERNAL", "CANCELLED")]

    internal, cancelled = counts()
    head = b"POST /v1/models/numbered:predict HTTP/1.1\r\nHost: x\r\n"
    slow = b'{"signature_name": "slow", "instances": [1e6]}'  # seconds
    for sent in (
        b"Content-Length: 99\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"Content-Length: %d\r\n\r\n%s" % (len(slow), slow),
    ):
        with socket.create_connection((embedded.host, embedded.rest_port)) as connection:
            connection.sendall(head + sent)
            # A connection that closes before its request is handled does not count.
            wait_until(lambda: 'requests_in_flight{entrypoint="REST"} 1.0' in page())
        wait_until(lambda: 'requests_in_flight{entrypoint="REST"} 0.0' in page())
    assert counts() == [internal, cancelled + 3]


@pytest.mark.parametrize("sent", [b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
def test_what_is_no_http_is_logged_in_a_line(embedded, sent):
    before = len(embedded.log.read_text())
    with socket.create_connection((embedded.host, embedded.rest_port), TIMEOUT) as connection:
        connection.sendall(sent)
        assert connection.recv(100).startswith(b"HTTP/1.0 400 ")
    (line,) = embedded.log.read_text()[before:].splitlines()
    assert re.match(r"W.*REST malformed request from 127\.0\.0\.1: ['\"]", line)


def test_a_link_out_of_a_version_is_not_served_and_no_request_waits_for_a_file(tmp_path, monkeypatch):
    readers, inside = [], gallery._inside
    monkeypatch.setattr(gallery, "_inside", lambda *args: readers.append(threading.current_thread()) or inside(*args))
    # The version's neighbour, whose path begins with the version's.
    version, outside = tmp_path / "base" / "1", tmp_path / "base" / "11"
    (version / "assets.extra").mkdir(parents=True)
    outside.write_text("secret")
    (version / "card").write_text("card")
    for name in ("report.json", "model_card.json"):
        (version / "assets.extra" / name).symlink_to(outside)
    (version / "assets.extra" / "model_card.md").symlink_to("../card")
    # A version may be a link itself.
    (tmp_path / "base" / "2").symlink_to(version)

    class Manager:
        @contextlib.contextmanager
        def lease(self, spec):
            yield types.SimpleNamespace(path=str(tmp_path / "base" / str(spec.version.value)))

    async def ask():
        application = web.Application(middlewares=[rest.errors_as_json])
        application.add_routes(gallery.Gallery(Manager()).routes())
        async with TestClient(TestServer(application)) as client:
            for number in (1, 2):
                path = f"/gallery/models/m/versions/{number}/files/"
                assert await (await client.get(f"{path}model_card.md")).text() == "card"
                for name in ("report.json", "model_card.json"):
                    answer = await client.get(path + name)
                    assert answer.status == 404 and f"has no {name}" in await answer.text()

    asyncio.run(ask())
    assert len(readers) == 6 and threading.main_thread() not in readers


def options_with(**changes):
    """Values of the program's flags for a server that this process runs on free ports."""
    values = {
        "bind_address": "127.0.0.1",
        "port": free_port(),
        "rest_api_port": free_port(),
        "model_config_file": None,
        "model_config_file_poll_wait_seconds": 0,
        "allow_reload_config_requests": None,
        "allow_version_labels_for_unavailable_models": False,
        "file_system_poll_wait_seconds": 1,
        "num_load_threads": 0,
        "max_num_load_retries": 5,
        "load_retry_interval_micros": 60_000_000,
        "enable_serialization_as_tensor_content": False,
        "grpc_timeout_in_ms": 10_000,
        "rest_api_timeout_in_ms": 10_000,
        "rest_api_num_threads": 0,
        "rest_api_enable_cors_support": False,
        "max_request_mib": 1,
        "max_json_request_mib": 1,
        "max_response_mib": 1,
        "max_json_response_mib": 1,
        "max_request_examples": 8,
        "max_concurrent_requests": 8,
        "run_threads": 0,
        "shutdown_grace_seconds": 0,
        "gallery": True,
    }
    return types.SimpleNamespace(**{**values, **changes})


@pytest.mark.parametrize("address", ["::1", "[::1]"])
def test_it_listens_on_ipv6_and_ends_in_order_when_its_terminal_closes(models, address):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    options = options_with(bind_address=address, shutdown_grace_seconds=5)
    config, *_ = server.read_configs(
        types.SimpleNamespace(**{**_FLAGS, "model_name": "numbered", "model_base_path": str(models / "numbered")})
    )

    async def scenario():
        serving = asyncio.ensure_future(lifecycle.serve(options, config, None, protos.MonitoringConfig(), None))
        async with grpc.aio.insecure_channel(f"[::1]:{options.port}") as channel:
            await asyncio.wait({serving, asyncio.ensure_future(channel.channel_ready())}, return_when="FIRST_COMPLETED")
        while not serving.done():
            with contextlib.suppress(OSError):
                _, connection = await asyncio.open_connection("::1", options.rest_api_port)
                connection.close()
                break
            await asyncio.sleep(0.01)
        assert not serving.done(), serving.result()
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(serving, TIMEOUT)

    # Without a handler in the server, SIGHUP must fail this test and not end pytest.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asyncio.run(scenario())
    finally:
        signal.signal(signal.SIGHUP, before)
        gc.unfreeze()


def test_what_is_logged_follows_the_verbosity():
    assert "has no effect" in program("--grpc_max_threads=4").stderr
    assert "has no effect" not in program("--grpc_max_threads=4", "--verbosity=-2").stderr


@pytest.mark.parametrize("enabled", [False, True])
def test_other_sites_may_read_answers_only_where_the_operator_says_so(enabled):
    options = options_with(rest_api_enable_cors_support=enabled)

    async def ask():
        api = Api(models.Manager(), monitoring.Metrics(), Limits())
        runner = await lifecycle._start_http(api, protos.MonitoringConfig().prometheus_config, options)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{options.rest_api_port}") as session:
            asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
            answers = [
                await session.options("/v1/models/m:predict", headers=asked),
                await session.options("/v1/models/m:predict"),
                await session.get("/v1/models/m", headers=asked),
                await session.get("/", headers=asked),
            ]
        await runner.cleanup()
        return answers

    preflight, no_origin, error, page = asyncio.run(ask())
    assert [answer.status for answer in (preflight, no_origin, error, page)] == [200, 400, 404, 200]
    expected = {"Origin": "*", "Methods": "POST, GET", "Headers": "Content-Type"} if enabled else {}
    for answer, allowed in ((preflight, expected), (no_origin, expected), (error, expected), (page, {})):
        prefix = "Access-Control-Allow-"
        assert {
            name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)
        } == allowed


def test_the_flags_of_loading_reach_the_manager(monkeypatch):
    class Reached(Exception):
        pass

    def manager(*args, **options):
        raise Reached(options)

    monkeypatch.setattr(models, "Manager", manager)
    for given, threads in ((0, 1), (3, 3)):
        options = options_with(num_load_threads=given, max_num_load_retries=2, load_retry_interval_micros=500_000)
        with pytest.raises(Reached) as reached:
            asyncio.run(lifecycle.serve(options, None, None, None, None))
        expected = {"load_threads": threads, "max_load_retries": 2, "load_retry_seconds": 0.5}
        assert reached.value.args == (expected,)


def test_a_config_file_is_followed_whatever_happens_to_it(tmp_path, caplog):
    file, taken = tmp_path / "models.config", []
    options = options_with(model_config_file=str(file), model_config_file_poll_wait_seconds=0.01)

    class Manager:
        async def reload(self, config):
            name = config.model_config_list.config[0].name
            if name != "right":
                raise {"wrong": invalid, "broken": OSError}[name](name)
            taken.append(name)

    async def scenario():
        applied = protos.read_text(file, model_server_config_pb2.ModelServerConfig, "")
        following = asyncio.ensure_future(lifecycle._follow_config(Manager(), applied, options))
        for name in ("", "wrong", "broken", "right"):
            told = len(caplog.records)
            text = f'model_config_list {{ config {{ name: "{name}" }} }}' if name else "no config"
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").rename(file)
            while len(caplog.records) == told and not taken and not following.done():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        following.cancel()

    file.write_text('model_config_list { config { name: "old" } }')
    asyncio.run(scenario())
    assert taken == ["right"]
    for cause in ("is no ModelServerConfig", "wrong", "broken"):
        assert re.search(f"--model_config_file: .*{cause}", caplog.text), cause


def test_the_flags_of_sizes_reach_the_apis(monkeypatch):
    class Reached(Exception):
        pass

    def reached(*args, **options):
        raise Reached(*args, options)

    async def loaded(*args):
        pass

    sizes = {"max_request_mib": 2, "max_json_request_mib": 3, "max_response_mib": 4, "max_json_response_mib": 5}
    options, mib = options_with(max_request_examples=6, **sizes), 1 << 20
    monkeypatch.setattr(lifecycle, "_load", loaded)
    for module, name, expected in (
        (rest, "Rest", 3 * mib),
        (lifecycle.grpc_service, "build", 2 * mib),
        (lifecycle, "Api", Limits(6, 2 * mib, 4 * mib, 5 * mib)),
    ):
        monkeypatch.setattr(module, name, reached)
        options.port = 0 if module is rest else options.rest_api_port + 1
        with pytest.raises(Reached) as raised:
            asyncio.run(lifecycle.serve(options, None, None, protos.MonitoringConfig(), None))
        *args, named = raised.value.args
        assert expected in (*args, named.get("max_bytes"))
    gc.unfreeze()


def test_the_page_tells_the_defaults():
    page = (REPOSITORY / "docs" / "serving.md").read_text()
    told = dict(re.findall(r"`--(\w+)=([\d.]+)`", page))
    assert len(told) > 6
    text = program("--helpfull").stdout
    for flag, value in told.items():
        assert re.search(rf"--{flag}:[^(]*\(default: '{re.escape(value)}'\)", text), flag


def test_rest_api_num_threads_is_how_many_requests_are_parsed_at_the_same_time(monkeypatch):
    options, parsing, most = options_with(rest_api_num_threads=3), [], []

    def parse(body):
        parsing.append(body)
        most.append(len(parsing))
        time.sleep(0.05)
        parsing.pop()
        raise invalid("parsed")

    monkeypatch.setattr(json_tensors, "parse", parse)
    any_model = contextlib.nullcontext(types.SimpleNamespace(servable=None))
    monkeypatch.setattr(models.Manager, "lease", lambda manager, spec: any_model)

    async def ask():
        api = Api(models.Manager(), monitoring.Metrics(), Limits())
        runner = await lifecycle._start_http(api, protos.MonitoringConfig().prometheus_config, options)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{options.rest_api_port}") as session:
            answers = await asyncio.gather(*(session.post("/v1/models/m:predict", json={}) for _ in range(6)))
        await runner.cleanup()
        return {answer.status for answer in answers}

    assert asyncio.run(ask()) == {400} and (len(most), max(most)) == (6, 3)


@pytest.mark.parametrize(
    ("allowed", "config_file", "code"),
    [
        (None, None, "PERMISSION_DENIED"),
        (None, "models.config", "INVALID_ARGUMENT"),
        (False, "models.config", "PERMISSION_DENIED"),
        (True, None, "INVALID_ARGUMENT"),
    ],
)
def test_clients_may_replace_a_config_file_and_else_only_where_the_operator_says_so(allowed, config_file, code, caplog):
    options = options_with(model_config_file=config_file, allow_reload_config_requests=allowed)
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(name="m", base_path="relative")

    async def ask():
        api = Api(models.Manager(), monitoring.Metrics(), Limits())
        server, _ = await lifecycle._start_grpc(api, None, options)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{options.port}") as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.HandleReloadConfigRequest(request, timeout=TIMEOUT)
        await server.stop(0)
        return refused.value.code().name

    assert asyncio.run(ask()) == code
    told = "and is refused" if code == "PERMISSION_DENIED" else "cannot be taken: Expected model m to have an absolute"
    assert told in caplog.text


def test_tensorflow_servings_flags_are_accepted_and_those_without_effect_are_named():
    done = program(*(f"--{flag}" for flag in MODEL_SERVER_FLAGS.split()))
    *warnings, error = done.stderr.splitlines()
    assert (done.returncode, error.partition(";")[0]) == (2, "server.py: --model_base_path: missing")
    warned = [re.search(r"--(\w+) has no effect: .", line)[1] for line in warnings]
    assert len(warned) == len(set(warned)) and {"num_unload_threads", "grpc_channel_arguments"} <= set(warned)
    assert not {"port", "rest_api_num_threads", "num_load_threads", "saved_model_tags"} & set(warned)
    assert program("--enable_cors_support").stderr == program().stderr


@pytest.mark.parametrize(
    "flag", ["use_alts_credentials=true", "saved_model_tags=serve,gpu", "mixed_precision=bfloat16"]
)
def test_flags_that_would_change_what_is_served_are_refused(flag):
    done = program(f"--{flag}")
    assert done.returncode == 2 and done.stderr.startswith(f"server.py: --{flag.partition('=')[0]}: ")


def test_a_flag_that_nobody_has_is_an_error():
    done = program("--max_load_retries=3")
    assert (done.returncode, done.stderr) == (2, "server.py: Unknown command line flag 'max_load_retries'\n")


def test_a_wrong_flag_is_refused_in_a_line(tmp_path):
    done = program(f"--model_base_path={tmp_path}/nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"server.py: --model_base_path: {tmp_path}/nowhere: no such directory\n"


_FLAGS = {
    "bind_address": "127.0.0.1",
    "port": 8500,
    "rest_api_port": 8501,
    "model_name": "default",
    "model_base_path": None,
    "model_config_file": None,
    "enable_batching": False,
    "batching_parameters_file": None,
    "monitoring_config_file": None,
    "ssl_config_file": None,
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model_base_path": None}, "--model_base_path: missing"),
        ({"rest_api_port": 8500}, "--rest_api_port: 8500 is --port too"),
        ({"port": 0, "rest_api_port": 0}, "both 0"),
        ({"batching_parameters_file": "file"}, "without --enable_batching"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(tmp_path, given, message):
    with pytest.raises(RequestError, match=message):
        server.check(types.SimpleNamespace(**{**_FLAGS, "model_base_path": str(tmp_path), **given}))


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_a_port_that_is_taken_is_refused_before_models_are_loaded(tmp_path, flag):
    flags = {**_FLAGS, "model_base_path": str(tmp_path), "port": 0, "rest_api_port": 0}
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(RequestError, match=rf"^--{flag}: 127\.0\.0\.1:{taken} cannot be listened on \(.* in use\)"):
            server.check(types.SimpleNamespace(**{**flags, flag: taken}))
    server.check(types.SimpleNamespace(**{**flags, flag: taken}))
    with pytest.raises(RequestError, match=f"--{flag}: nowhere.invalid:{taken} cannot"):
        server.check(types.SimpleNamespace(**{**flags, flag: taken, "bind_address": "nowhere.invalid"}))


@pytest.mark.parametrize(
    ("flag", "content", "message"),
    [
        ("model_config_file", "model_config_list { config { nme: 'x' } }", "is no ModelServerConfig"),
        ("batching_parameters_file", "max_batch_size { value: 8 } allowed_batch_sizes: 4", "expected 8"),
        ("batching_parameters_file", "allowed_batch_sizes: 8 allowed_batch_sizes: 8", "increasing"),
        ("batching_parameters_file", "num_batch_threads { value: 0 }", "expected at least 1"),
        ("batching_parameters_file", "pad_variable_length_inputs: true", "not supported"),
        ("monitoring_config_file", "path: 3", "is no MonitoringConfig"),
        ("ssl_config_file", "server_key: 'none' server_cert: 'none'", "expected a private key"),
    ],
)
def test_wrong_files_are_refused(tmp_path, flag, content, message):
    (tmp_path / "file").write_text(content)
    values = {**_FLAGS, "model_base_path": str(tmp_path), "enable_batching": True, flag: str(tmp_path / "file")}
    with pytest.raises(RequestError, match=f"--{flag}.*{message}"):
        server.read_configs(types.SimpleNamespace(**values))


def test_a_relative_base_path_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, *_ = server.read_configs(types.SimpleNamespace(**{**_FLAGS, "model_base_path": "models"}))
    assert config.model_config_list.config[0].base_path == str(tmp_path / "models")
