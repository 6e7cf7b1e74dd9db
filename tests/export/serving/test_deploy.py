"""The files of deploy/ agree with the server. The tests need neither a cluster nor docker."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import grpc
import kubernetes_validate
import pytest
import yaml
from google.protobuf import text_format
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from harness import MODEL_SERVER_FLAGS, REPOSITORY, free_port, program

from export.serving import protos
from export.serving.batching import Parameters

_DEPLOY = REPOSITORY / "deploy"
_MANIFESTS = sorted((_DEPLOY / "kubernetes").glob("*.yaml"))


@pytest.fixture(params=_MANIFESTS, ids=[path.stem for path in _MANIFESTS])
def objects(request):
    """A manifest's objects by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(request.param.read_text())}


@pytest.fixture
def pod(objects):
    return objects["Deployment"]["spec"]["template"]


@pytest.fixture
def container(pod):
    (container,) = pod["spec"]["containers"]
    return container


@pytest.fixture
def flags(container):
    """Dict of flag → value."""
    return dict(argument.removeprefix("--").partition("=")[::2] for argument in container["args"])


def test_kubernetes_takes_the_manifests(objects):
    assert set(objects) == {"ConfigMap", "Deployment", "Service"}
    for each in objects.values():
        kubernetes_validate.validate(each, "1.30", strict=True)


def test_the_program_takes_the_flags(container, flags):
    done = program(*container["args"])
    # It gets as far as looking for the model, which does not exist.
    assert (
        done.stderr.splitlines()[-1] == f"server.py: --model_base_path: {flags['model_base_path']}: no such directory"
    )
    if container["image"].startswith("tensorflow/serving:"):
        assert set(flags) <= {flag.partition("=")[0] for flag in MODEL_SERVER_FLAGS.split()}
    else:
        assert "no effect" not in done.stderr


def test_ports_and_paths_match(objects, pod, container, flags):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": int(flags["port"]), "rest": int(flags["rest_api_port"])}
    for port in objects["Service"]["spec"]["ports"]:
        assert port["port"] == ports[port["targetPort"]]
    assert container["startupProbe"]["grpc"]["port"] == container["readinessProbe"]["grpc"]["port"] == ports["grpc"]
    config = objects["ConfigMap"]["data"]["monitoring.config"]
    prometheus = text_format.Parse(config, protos.MonitoringConfig()).prometheus_config
    scrape = pod["metadata"]["annotations"]
    assert prometheus.enable and scrape["prometheus.io/port"] == str(ports["rest"])
    assert container["livenessProbe"]["httpGet"] == {"port": "rest", "path": prometheus.path}
    assert scrape["prometheus.io/path"] == prometheus.path
    labels = objects["Service"]["spec"]["selector"]
    assert labels == pod["metadata"]["labels"] == objects["Deployment"]["spec"]["selector"]["matchLabels"]


def test_files_that_flags_name_are_mounted_and_fit_the_cores(objects, pod, container, flags):
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert volumes[mounts["/config"]["name"]]["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    files = objects["ConfigMap"]["data"]
    assert {flags[flag] for flag in flags if flag.endswith("_file")} == {f"/config/{name}" for name in files}
    batching = text_format.Parse(files["batching.config"], protos.BatchingParameters())
    assert Parameters.of(batching, "").num_batch_threads == int(container["resources"]["limits"]["cpu"])
    assert flags["model_base_path"].startswith("/models/") and mounts["/models"]["readOnly"]
    assert volumes[mounts["/models"]["name"]]["persistentVolumeClaim"]["readOnly"]


def test_the_pod_can_do_little_and_has_time_to_end(pod, container, flags):
    assert pod["spec"]["securityContext"]["runAsNonRoot"] and not pod["spec"]["automountServiceAccountToken"]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == set(container["resources"]["requests"]) == {"cpu", "memory"}
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["spec"].get("terminationGracePeriodSeconds", 30) > pause + int(flags.get("shutdown_grace_seconds", 0))


@pytest.fixture(scope="module")
def dockerfile():
    """Instructions and their arguments, lines joined."""
    text = (_DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    return re.findall(r"(?m)^([A-Z]+) (.*)$", text)


def test_the_image_runs_the_installed_program_as_nobody_in_particular(dockerfile):
    last = dict(dockerfile)
    assert json.loads(last["ENTRYPOINT"]) == ["gan-zoo-serve", "--bind_address=0.0.0.0"]
    assert "gan-zoo-serve" in {entry.name for entry in metadata.entry_points(group="console_scripts")}
    user, _, group = last["USER"].partition(":")
    assert user == group == "65532" and last["EXPOSE"] == "8500 8501"
    copied = " ".join(arguments for name, arguments in dockerfile if name == "COPY").split()
    packages = re.search(r"find_packages\(include=\[(.*?)\]", (REPOSITORY / "setup.py").read_text())[1]
    for path in [*re.findall(r'"(\w+)\*"', packages), "setup.py", "pyproject.toml", "README.md"]:
        assert path in copied and (REPOSITORY / path).exists()


def test_the_images_health_check_tells_a_server_that_serves(dockerfile, embedded):
    (check,) = (arguments for name, arguments in dockerfile if name == "HEALTHCHECK")
    program, *arguments = json.loads(check.partition("CMD ")[2])
    assert program == "python"
    # A health service that answers NOT_SERVING.
    service, closing = health.HealthServicer(), grpc.server(ThreadPoolExecutor(1))
    service.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(service, closing)
    not_serving = closing.add_insecure_port("127.0.0.1:0")
    closing.start()
    for port, healthy in ((embedded.grpc_port, True), (free_port(), False), (not_serving, False)):
        command = [argument.replace(":8500", f":{port}") for argument in arguments]
        done = subprocess.run([sys.executable, *command], capture_output=True)
        assert (done.returncode == 0) == healthy, done.stderr
    closing.stop(None)
