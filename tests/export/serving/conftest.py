"""Servers under test: the embedded one in a subprocess, and a real TensorFlow Serving if TF_SERVING_HOST names one."""

import os
import shutil

import pytest
import served
from harness import Running, serving, wait_until_ready


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with the models of `served` and their models.config."""
    base = tmp_path_factory.mktemp("served")
    served.write(base)
    served.write_generators(base)
    return base


@pytest.fixture(scope="session")
def embedded(models, tmp_path_factory):
    """The embedded server with the models of `served`, without batching."""
    folder = tmp_path_factory.mktemp("embedded")
    monitoring = folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    with serving(
        folder,
        f"--model_config_file={models}/models.config",
        "--allow_version_labels_for_unavailable_models",
        f"--monitoring_config_file={monitoring}",
        "--rest_api_timeout_in_ms=10000",
    ) as running:
        yield running


@pytest.fixture(scope="session")
def model_server(models, tmp_path_factory):
    """A real tensorflow_model_server, where one is on the path."""
    binary = shutil.which("tensorflow_model_server")
    if not binary:
        pytest.skip("no tensorflow_model_server on the path")
    folder = tmp_path_factory.mktemp("model_server")
    with serving(
        folder,
        f"--model_config_file={models}/models.config",
        "--allow_version_labels_for_unavailable_models=true",
        command=(binary,),
    ) as running:
        yield running


@pytest.fixture(scope="session")
def remote():
    """A TensorFlow Serving that runs elsewhere with the models of `served`."""
    host = os.environ.get("TF_SERVING_HOST")
    if not host:
        pytest.skip("TF_SERVING_HOST is not set")
    running = Running(host, 8500, 8501)
    wait_until_ready(running)
    return running


@pytest.fixture(params=["embedded", "model_server", "remote"])
def server(request):
    """Each server in turn that speaks TensorFlow Serving's protocol."""
    return request.getfixturevalue(request.param)
