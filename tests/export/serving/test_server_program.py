"""What the server does beside TensorFlow Serving's API: the page's routes, metrics, and refusals at the start."""

import re
import socket
import subprocess
import sys
import types

import pytest
import requests
from harness import REPOSITORY, TIMEOUT

from export.serving import server
from zoo.errors import RequestError


def test_the_page_learns_which_models_there_are(embedded):
    models = requests.get(embedded.url("/gallery/models"), timeout=TIMEOUT).json()["models"]
    by_name = {model["name"]: model for model in models}
    assert by_name["numbered"] == {
        "name": "numbered",
        "versions": [{"version": 2, "state": "AVAILABLE"}, {"version": 1, "state": "AVAILABLE"}],
        "labels": {"stable": 1, "canary": 2},
    }
    assert len(models) == 5


def test_a_versions_papers_are_shown_in_a_sandbox_and_no_other_file_is(embedded, models):
    path = "/gallery/models/generator/versions/1/files/"
    answer = requests.get(embedded.url(path + "model_card.md"), timeout=TIMEOUT)
    assert answer.text == (models / "generator" / "1" / "assets.extra" / "model_card.md").read_text()
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    for name in (
        "model_card.json",
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


def test_a_wrong_flag_is_refused_in_a_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "export.serving.server", f"--model_base_path={tmp_path}/nowhere"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
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
