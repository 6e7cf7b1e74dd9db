"""Flags of TensorFlow Serving's `tensorflow_model_server` without effect here.

A command line for TensorFlow Serving should also start this server. Flags that only tune speed or memory are accepted
with a warning. Flags that change what is loaded, what is answered or who may connect are refused, because ignoring them
would change the behaviour.
"""

from absl import flags, logging

from zoo.errors import RequestError

_THREADS = "a run's operations have one thread, and TensorFlow chooses how many work inside of an operation"
_TFLITE = "there are no TensorFlow Lite interpreters"
_XLA = "TensorFlow for Python always has XLA"
#: Name → (TensorFlow Serving's default, why it has no effect). An empty default depends on the machine.
_WITHOUT_EFFECT = {
    "num_unload_threads": (0, "unloading uses the threads of --num_load_threads"),
    "flush_filesystem_caches": (True, "the operating system manages its file cache"),
    "tensorflow_session_parallelism": (0, _THREADS),
    "tensorflow_intra_op_parallelism": (0, _THREADS),
    "tensorflow_inter_op_parallelism": (0, _THREADS),
    "thread_pool_factory_config_file": ("", _THREADS),
    "per_process_gpu_memory_fraction": (0.0, "TensorFlow manages the memory of a GPU"),
    "grpc_channel_arguments": ("", "gRPC's own defaults hold"),
    "grpc_max_threads": ("", "one thread answers gRPC; --max_concurrent_requests limits the requests"),
    "enable_model_warmup": (True, "the requests that lie in a version are always replayed"),
    "num_request_iterations_for_warmup": (0, "each of the requests that lie in a version is replayed once"),
    "remove_unused_fields_from_bundle_metagraph": (True, "it concerns the C++ loader"),
    "num_tflite_pools": ("", _TFLITE),
    "num_tflite_interpreters_per_pool": (1, _TFLITE),
    "enable_signature_method_name_check": (False, "it concerns Classify and Regress, which are not supported"),
    "xla_cpu_compilation_enabled": (False, _XLA),
    "xla_gpu_compilation_enabled": (False, _XLA),
    "enable_profiler": (True, "there is no profiler service"),
    "skip_initialize_tpu": (False, "no TPU is initialized"),
    "enable_grpc_healthcheck_service": (False, "the health service is always there"),
}
#: Name → (TensorFlow Serving's default, why other values are refused).
_REFUSED = {
    "grpc_socket_path": ("", "gRPC listens on --port alone"),
    "use_alts_credentials": (False, "expected --ssl_config_file for an encrypted gRPC API"),
    "enable_per_model_batching_parameters": (False, "expected --batching_parameters_file for all models"),
    "platform_config_file": ("", "the platform is always TensorFlow"),
    "tensorflow_session_config_file": ("", "sessions always have TensorFlow's default options"),
    "saved_model_tags": ("serve", 'the graph tagged "serve" is always the one that is loaded'),
    "prefer_tflite_model": (False, _TFLITE),
    "mixed_precision": ("", "a model runs in the precision that it was exported in"),
}
_DEFINE = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string}


def define():
    """Defines the flags with absl."""
    for names, told in ((_WITHOUT_EFFECT, "Accepted without effect"), (_REFUSED, "Refused unless the default")):
        for name, (default, reason) in names.items():
            _DEFINE[type(default)](name, default, f"{told}: {reason}.")


def check(values):
    """Logs a warning for each given flag without effect.

    Args:
        values: absl's FlagValues, parsed.

    Raises:
        RequestError: a flag has a value that this server does not support.
    """
    for name, (default, reason) in _REFUSED.items():
        if values[name].value != default:
            raise RequestError(f"--{name}: {values[name].value} is not supported; {reason}")
    for name, (_, reason) in _WITHOUT_EFFECT.items():
        if values[name].present:
            logging.warning("--%s has no effect: %s", name, reason)
