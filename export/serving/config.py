"""Writes config files for TensorFlow Serving, and prints the command that serves a model with them.

    python -m export.serving.config --model_base_path=models --model_name=digits --out=serving

writes the text protos ``models.config``, ``batching.config`` and ``monitoring.config`` into --out. Their paths are this
machine's, and the printed ``docker run`` mounts the folders under the same paths, so the files also work with the
embedded server (``python -m export.serving.server``).
"""

import os
import shlex

from absl import flags
from etils import epath

from trainers import program
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole, writing
from zoo.pretrained import find_saved_model

IMAGE = "tensorflow/serving"
METRICS = "/monitoring/prometheus/metrics"


def find_model(base_path, name):
    """The directory of a model's versions: ``base_path/name``, as the export writes it, if it exists, else `base_path`.

    Raises:
        RequestError: it holds no version or is a version itself, `base_path` is no directory, or `name` no model name.
    """
    from export.saved_model import check_name

    check_name(name)
    base = epath.Path(base_path).expanduser()
    if not base.is_dir():
        raise RequestError(f"--model_base_path: {base_path}: no such directory")
    model = base / name if (base / name).is_dir() else base
    version = find_saved_model(model, "--model_base_path")
    if version == model:
        raise RequestError(f"--model_base_path: {model} is a version; expected the folder that holds it by its number")
    return model if "://" in os.fspath(model) else model.resolve()


def write(model, name, out, *, max_batch_size=128, batch_timeout_micros=2000, num_batch_threads=None):
    """Writes the three files.

    Args:
        model: directory of the model's versions.
        name: the model's name for clients.
        out: directory to write to, made if it does not exist.
        max_batch_size: most examples in a batch; the server refuses larger requests.
        batch_timeout_micros: how long the first request of a batch waits for others.
        num_batch_threads: batches that run at the same time; this machine's number of cores if None.

    Returns:
        Dict of "models", "batching" and "monitoring" → epath.Path of the file.

    Raises:
        RequestError: they cannot be written.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    from export.serving import protos

    models = model_server_config_pb2.ModelServerConfig()
    models.model_config_list.config.add(name=name, base_path=os.fspath(model), model_platform="tensorflow")
    batching = protos.BatchingParameters()
    batching.max_batch_size.value = max_batch_size
    batching.batch_timeout_micros.value = batch_timeout_micros
    batching.max_enqueued_batches.value = 100
    batching.num_batch_threads.value = num_batch_threads or os.cpu_count()
    monitoring = protos.MonitoringConfig()
    monitoring.prometheus_config.enable, monitoring.prometheus_config.path = True, METRICS
    out = epath.Path(out).expanduser()
    written = {}
    with writing("--out", out):
        out.mkdir(parents=True, exist_ok=True)
        for file, message in (("models", models), ("batching", batching), ("monitoring", monitoring)):
            written[file] = out / f"{file}.config"
            write_whole(written[file], text_format.MessageToString(message).encode())
    return written


def server_flags(files):
    """Flags for TensorFlow Serving or the embedded server to read the files of `write`. Returns a list of str."""
    return [
        f"--model_config_file={files['models'].resolve()}",
        "--enable_batching=true",
        f"--batching_parameters_file={files['batching'].resolve()}",
        f"--monitoring_config_file={files['monitoring'].resolve()}",
    ]


def docker_command(model, files):
    """Shell command that runs TensorFlow Serving in Docker with the files of `write`."""
    folders = [files["models"].parent.resolve()]
    if "://" not in os.fspath(model):
        folders.insert(0, model)
    mounts = [f"--mount=type=bind,source={folder},target={folder},readonly" for folder in folders]
    ports = ["-p", "8500:8500", "-p", "8501:8501"]
    return shlex.join(["docker", "run", "--rm", *ports, *mounts, IMAGE, *server_flags(files)])


def main(argv):
    del argv
    given = flags.FLAGS
    for name in ("model_base_path", "model_name", "out"):
        if not given[name].value:
            raise RequestError(f"--{name}: missing; see --help")
    model = find_model(given.model_base_path, given.model_name)
    check_writable(given.out, "--out")
    program.start_tensorflow()
    files = write(
        model,
        given.model_name,
        given.out,
        max_batch_size=given.max_batch_size,
        batch_timeout_micros=given.batch_timeout_micros,
        num_batch_threads=given.num_batch_threads,
    )
    print(docker_command(model, files))


def run():
    """Console entry point."""
    flags.DEFINE_string("model_base_path", None, "Directory of models, or of the one model, that holds its versions.")
    flags.DEFINE_string("model_name", None, "Name of the model.")
    flags.DEFINE_string("out", None, "Directory for the files.")
    flags.DEFINE_integer("max_batch_size", 128, "Examples that run together at most; larger requests are refused.", 1)
    flags.DEFINE_integer("batch_timeout_micros", 2000, "How long the first request of a batch waits for others.", 0)
    flags.DEFINE_integer("num_batch_threads", None, "Batches that run at the same time; the cores if not given.", 1)
    program.run(main)


if __name__ == "__main__":
    run()
