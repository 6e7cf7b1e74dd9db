import shlex
import subprocess
import sys

import pytest
from etils import epath
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from export.serving import batching, config, protos
from zoo.errors import RequestError


@pytest.fixture
def base(tmp_path):
    """Two models: what they hold does not matter here."""
    for name in ("digits", "faces"):
        (tmp_path / "models" / name / "3").mkdir(parents=True)
        (tmp_path / "models" / name / "3" / "saved_model.pb").write_bytes(b"")
    return tmp_path / "models"


def test_the_files_are_googles_messages_and_the_command_names_them(base, tmp_path):
    model = config.find_model(base, "digits")
    files = config.write(model, "digits", tmp_path / "new" / "out", max_batch_size=32, num_batch_threads=3)
    read = text_format.Parse(files["models"].read_text(), model_server_config_pb2.ModelServerConfig())
    (entry,) = read.model_config_list.config
    assert (entry.name, entry.base_path, entry.model_platform) == ("digits", str(base / "digits"), "tensorflow")
    parameters = protos.read_text(files["batching"], protos.BatchingParameters, "")
    assert (parameters.max_batch_size.value, parameters.num_batch_threads.value) == (32, 3)
    assert batching.Parameters.of(parameters, "").max_batch_size == 32
    monitoring = protos.read_text(files["monitoring"], protos.MonitoringConfig, "")
    assert monitoring.prometheus_config.enable and monitoring.prometheus_config.path.startswith("/monitoring")
    command = shlex.split(config.docker_command(model, files))
    assert command[:3] == ["docker", "run", "--rm"] and "tensorflow/serving" in command
    # What a flag or a file names is mounted under the same path.
    for path in (base / "digits", tmp_path / "new" / "out"):
        assert f"--mount=type=bind,source={path},target={path},readonly" in command
    assert command[-4] == f"--model_config_file={tmp_path}/new/out/models.config"


def test_a_path_with_a_space_survives_the_shell(base, tmp_path):
    model = epath.Path(base / "digits").rename(tmp_path / "a b")
    files = config.write(model, "digits", tmp_path / "c d")
    assert f"--monitoring_config_file={tmp_path}/c d/monitoring.config" in shlex.split(
        config.docker_command(model, files)
    )


def test_the_model_is_found_below_the_base_or_at_it(base):
    assert config.find_model(base, "faces") == config.find_model(base / "faces", "named_otherwise") == base / "faces"
    for path, name, told in (
        (base, "none", "name one: digits, faces"),
        (base / "faces" / "3", "faces", "is a version"),
        (base / "nowhere", "faces", "no such directory"),
        (base, "a/b", "--model_name"),
    ):
        with pytest.raises(RequestError, match=told):
            config.find_model(path, name)


def test_the_program_prints_the_command_or_one_line(base, tmp_path):
    def program(*flags):
        command = [sys.executable, "-m", "export.serving.config", *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    done = program(f"--model_base_path={base}", "--model_name=digits", f"--out={tmp_path}/out")
    assert done.returncode == 0 and done.stdout.startswith("docker run") and done.stdout.count("\n") == 1, done.stderr
    done = program(f"--model_base_path={base}", f"--out={tmp_path}/out")
    assert done.returncode == 2 and "--model_name: missing" in done.stderr and done.stderr.count("\n") == 1
