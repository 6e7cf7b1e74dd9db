"""Reads TensorFlow Serving's text protos, and defines the messages that the package `tensorflow-serving-api` lacks.

That package has the API's messages and `ModelServerConfig`, but not those of ``--batching_parameters_file``,
``--monitoring_config_file`` and ``--ssl_config_file``, which TensorFlow Serving's source defines in
servables/tensorflow/session_bundle_config.proto, config/monitoring_config.proto and config/ssl_config.proto. They are
built here from their fields, in a separate descriptor pool to avoid clashes with other packages.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from zoo.errors import RequestError

_Field = descriptor_pb2.FieldDescriptorProto
_INT64, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
#: Message → field → (number, type; in a list for a repeated field).
_FIELDS = {
    "BatchingParameters": {
        "max_batch_size": (1, _INT64),
        "batch_timeout_micros": (2, _INT64),
        "max_enqueued_batches": (3, _INT64),
        "num_batch_threads": (4, _INT64),
        "thread_pool_name": (5, _STRING),
        "allowed_batch_sizes": (6, [_Field.TYPE_INT64]),
        "pad_variable_length_inputs": (7, _Field.TYPE_BOOL),
        "enable_large_batch_splitting": (8, ".google.protobuf.BoolValue"),
        "max_execution_batch_size": (9, _INT64),
    },
    "PrometheusConfig": {"enable": (1, _Field.TYPE_BOOL), "path": (2, _Field.TYPE_STRING)},
    "MonitoringConfig": {"prometheus_config": (1, ".tensorflow.serving.PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, _Field.TYPE_STRING),
        "server_cert": (2, _Field.TYPE_STRING),
        "custom_ca": (3, _Field.TYPE_STRING),
        "client_verify": (4, _Field.TYPE_BOOL),
    },
}


def _build():
    file = descriptor_pb2.FileDescriptorProto(
        name="export/serving/protos.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            label = _Field.LABEL_REPEATED if isinstance(kind, list) else _Field.LABEL_OPTIONAL
            kind = kind[0] if isinstance(kind, list) else kind
            typed = {"type_name": kind} if isinstance(kind, str) else {"type": kind}
            described.field.add(name=name, number=number, label=label, **typed)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClassesForFiles([file.name], pool)


_MESSAGES = {name.rpartition(".")[2]: message for name, message in _build().items()}
BatchingParameters = _MESSAGES["BatchingParameters"]
MonitoringConfig = _MESSAGES["MonitoringConfig"]
SSLConfig = _MESSAGES["SSLConfig"]


def read_text(path, message, where):
    """Reads a text proto.

    Args:
        path: epath.Path of the file.
        message: class of its message.
        where: the flag that names it, for error messages.

    Returns:
        The message.

    Raises:
        RequestError: it cannot be read, or holds no such message.
    """
    try:
        return text_format.Parse(path.read_text(), message())
    except OSError as error:
        raise RequestError(f"{where}: {path} cannot be read ({error.strerror or error})") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise RequestError(f"{where}: {path} is no {message.DESCRIPTOR.name} ({error})") from error
