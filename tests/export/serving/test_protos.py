import pytest
from etils import epath

from export.serving import protos
from zoo.errors import RequestError


def test_the_files_of_tensorflow_servings_guide_are_read(tmp_path):
    file = epath.Path(tmp_path) / "file"
    file.write_text(
        "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 0 }\nmax_enqueued_batches { value: 1000000 }\n"
        "num_batch_threads { value: 8 }\nallowed_batch_sizes: 8\nallowed_batch_sizes: 128\n"
    )
    read = protos.read_text(file, protos.BatchingParameters, "--batching_parameters_file")
    assert read.max_batch_size.value == 128 and list(read.allowed_batch_sizes) == [8, 128]
    # A wrapper tells zero from not given.
    assert read.HasField("batch_timeout_micros") and not read.HasField("thread_pool_name")
    file.write_text('prometheus_config {\n  enable: true,\n  path: "/monitoring/prometheus/metrics"\n}\n')
    read = protos.read_text(file, protos.MonitoringConfig, "--monitoring_config_file")
    assert read.prometheus_config.enable and read.prometheus_config.path == "/monitoring/prometheus/metrics"
    file.write_text('server_key: "key"\nserver_cert: "certificate"\nclient_verify: false\n')
    assert protos.read_text(file, protos.SSLConfig, "--ssl_config_file").server_cert == "certificate"


@pytest.mark.parametrize("content", [b"max_batch_size: 3", b"no_such_field: 1", b"\xff\xfe"])
def test_what_is_no_such_message_is_refused_by_name(tmp_path, content):
    file = epath.Path(tmp_path) / "file"
    file.write_bytes(content)
    with pytest.raises(RequestError, match=r"--batching_parameters_file.* is no BatchingParameters"):
        protos.read_text(file, protos.BatchingParameters, "--batching_parameters_file")
    with pytest.raises(RequestError, match="cannot be read"):
        protos.read_text(file / "none", protos.BatchingParameters, "--batching_parameters_file")
