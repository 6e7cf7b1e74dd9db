"""Serves SavedModels with TensorFlow Serving's protocol, over gRPC and REST, and a web page to sample them.

    python -m export.serving.server --model_name=digits --model_base_path=models/digits --rest_api_port=8501

--model_base_path=zoo:NAME serves a pretrained model, and zoo: alone all of them, each under its name with _ for /.

Flags of TensorFlow Serving's `tensorflow_model_server` have the same names and meanings. Differences: by default the
server listens on the loopback address only (--bind_address), request sizes are limited, and base paths on the command
line may be relative.

The models' signatures are told in `export.signatures`, those with labels of classes included; the page at / asks them.
"""

import asyncio
import os
import socket
from importlib import metadata

from absl import flags, logging
from etils import epath

from export.serving import model_server_flags
from trainers import program
from zoo import pretrained
from zoo.errors import RequestError


def main(argv):
    del argv
    values = flags.FLAGS
    if values.version:
        print(f"tf-gan-zoo {metadata.version('tf-gan-zoo')}, TensorFlow {metadata.version('tensorflow')}")
        return
    if not values["verbosity"].present:
        logging.set_verbosity(logging.INFO)  # one line a request; --verbosity=-1 leaves warnings and errors
    model_server_flags.check(values)
    check(values)
    program.start_tensorflow()
    configs = read_configs(values)
    from export.serving import lifecycle

    asyncio.run(lifecycle.serve(values, *configs))


def check(values):
    """Raises RequestError where flags contradict one another or a port is taken. Does not import TensorFlow."""
    if not values.model_config_file and not values.model_base_path:
        raise RequestError("--model_base_path: missing; expected it or --model_config_file, see --help")
    if not values.port and not values.rest_api_port:
        raise RequestError("--port and --rest_api_port are both 0; expected a port to listen on")
    if values.port == values.rest_api_port:
        raise RequestError(f"--rest_api_port: {values.rest_api_port} is --port too; expected another")
    if values.batching_parameters_file and not values.enable_batching:
        raise RequestError("--batching_parameters_file is set without --enable_batching")
    if not values.model_config_file and not values.model_base_path.startswith(pretrained.PREFIX):
        base = epath.Path(values.model_base_path).expanduser()
        if not base.is_dir():
            raise RequestError(f"--model_base_path: {values.model_base_path}: no such directory")
    for flag in ("port", "rest_api_port"):
        if getattr(values, flag):
            _check_free(values.bind_address, getattr(values, flag), f"--{flag}")


def _check_free(host, port, where):
    """Raises RequestError where the address cannot be listened on, before models are loaded."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as probe:
            # As both servers do: a port whose last connections are still closing counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise RequestError(f"{where}: {host}:{port} cannot be listened on ({error.strerror or error})") from error


def read_configs(values):
    """Reads the config files of the flags.

    Returns:
        (ModelServerConfig, batching.Parameters or None, MonitoringConfig, grpc.ServerCredentials or None).

    Raises:
        RequestError: one cannot be read or is invalid.
    """
    from export.serving import batching, grpc_service, lifecycle, models, protos

    def read(flag, message):
        path = getattr(values, flag)
        return protos.read_text(epath.Path(path).expanduser(), message, f"--{flag}") if path else None

    if values.model_config_file:
        config = lifecycle.read_model_config(values.model_config_file)
    else:
        config = models.config_of_models(_base_paths(values))
    parameters = None
    if values.enable_batching:
        message = read("batching_parameters_file", protos.BatchingParameters) or protos.BatchingParameters()
        parameters = batching.Parameters.of(message, "--batching_parameters_file")
    monitoring = read("monitoring_config_file", protos.MonitoringConfig) or protos.MonitoringConfig()
    ssl = read("ssl_config_file", protos.SSLConfig)
    return config, parameters, monitoring, grpc_service.credentials(ssl) if ssl else None


def _base_paths(values):
    """{name: directory of versions} of the models that --model_base_path names."""
    path = values.model_base_path
    if path == pretrained.PREFIX:
        found = {row["name"].replace("/", "_"): row["name"] for row in pretrained.list_models()}
        return {served: pretrained.locate(name, "--model_base_path").parent for served, name in found.items()}
    if path.startswith(pretrained.PREFIX):
        return {values.model_name: pretrained.find_saved_model(path, "--model_base_path").parent}
    base = epath.Path(path).expanduser()
    return {values.model_name: base if "://" in os.fspath(base) else base.resolve()}


def run():
    """Console entry point."""
    flags.DEFINE_integer("port", 8500, "Port of the gRPC API; 0: none.", 0, 65535)
    flags.DEFINE_integer("rest_api_port", 8501, "Port of the REST API and the page; 0: none.", 0, 65535)
    flags.DEFINE_string("bind_address", "127.0.0.1", "Address to listen on; 0.0.0.0: every address of this machine.")
    flags.DEFINE_string("model_name", "default", "Name of the one model.")
    flags.DEFINE_string(
        "model_base_path", None, "Directory of the one model, with its versions 1, 2, …; or zoo:NAME, zoo: for all."
    )
    flags.DEFINE_string(
        "model_config_file", None, "ModelServerConfig as a text proto: several models, policies, labels."
    )
    flags.DEFINE_integer(
        "model_config_file_poll_wait_seconds", 0, "Seconds between looks at --model_config_file; 0: once.", 0
    )
    flags.DEFINE_bool(
        "allow_reload_config_requests",
        None,
        "Whether gRPC clients may replace the config, and so have any directory loaded; by default with "
        "--model_config_file alone.",
    )
    flags.DEFINE_integer(
        "file_system_poll_wait_seconds", 1, "Seconds between looks for versions; 0: once, at the start.", 0
    )
    flags.DEFINE_integer("num_load_threads", 0, "Versions that are loaded at the same time; 0: one.", 0)
    flags.DEFINE_integer(
        "max_num_load_retries", 5, "How often a version is tried again that cannot be loaded, while its files stay.", 0
    )
    flags.DEFINE_integer(
        "load_retry_interval_micros", 60_000_000, "Least time before such a try; it comes with a look for versions."
    )
    flags.DEFINE_bool("enable_batching", False, "Whether requests that wait at the same time share a batch.")
    flags.DEFINE_string("batching_parameters_file", None, "BatchingParameters as a text proto.")
    flags.DEFINE_string("monitoring_config_file", None, "MonitoringConfig as a text proto: Prometheus metrics.")
    flags.DEFINE_string("ssl_config_file", None, "SSLConfig as a text proto: TLS for the gRPC API.")
    flags.DEFINE_bool(
        "allow_version_labels_for_unavailable_models", False, "Whether new labels may name versions not yet loaded."
    )
    flags.DEFINE_bool(
        "enable_serialization_as_tensor_content", False, "Whether outputs travel as bytes; smaller and faster."
    )
    flags.DEFINE_integer("rest_api_timeout_in_ms", 30_000, "Longest time for one REST request.", 1)
    flags.DEFINE_integer(
        "rest_api_num_threads", 0, "REST requests whose JSON is read or written at the same time; 0: two.", 0
    )
    flags.DEFINE_bool(
        "rest_api_enable_cors_support", False, "Whether pages of other sites may read the REST API's answers."
    )
    flags.DEFINE_alias("enable_cors_support", "rest_api_enable_cors_support")
    flags.DEFINE_integer("grpc_timeout_in_ms", 60_000, "Longest time for one gRPC request.", 1)
    flags.DEFINE_integer("max_request_mib", 16, "Largest gRPC request, in MiB.", 1, 1024)
    flags.DEFINE_integer(
        "max_json_request_mib", 4, "Largest REST request, in MiB; read, it can take 30 times as much.", 1, 1024
    )
    flags.DEFINE_integer("max_response_mib", 64, "Largest outputs of a gRPC request, in MiB.", 1, 1024)
    flags.DEFINE_integer(
        "max_json_response_mib",
        16,
        "Largest outputs of a REST request, in MiB before they are written as JSON.",
        1,
        1024,
    )
    flags.DEFINE_integer("max_request_examples", 1024, "Largest first dimension of an input.", 1)
    flags.DEFINE_integer("max_concurrent_requests", 512, "gRPC requests at the same time; more are refused.", 1)
    flags.DEFINE_integer("run_threads", 0, "Requests that run at the same time without batching; 0: one a core.", 0)
    flags.DEFINE_integer("shutdown_grace_seconds", 30, "At SIGTERM, time for requests that are under way.", 0)
    flags.DEFINE_bool("gallery", True, "Whether / shows a page to sample the models with.")
    flags.DEFINE_bool("version", False, "Prints the versions of this server and of TensorFlow, and ends.")
    model_server_flags.define()
    program.run(main)


if __name__ == "__main__":
    run()
