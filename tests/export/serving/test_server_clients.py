"""Third-party clients against the embedded server and, if there is one, a real TensorFlow Serving."""

import json
import shutil
import subprocess

import grpc
import numpy as np
import pytest
import tensorflow as tf
from harness import TIMEOUT, X, health, predict, request_of
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)


def refusal(call, request):
    with pytest.raises(grpc.RpcError) as refused:
        call(request, timeout=TIMEOUT)
    return refused.value.code(), refused.value.details()


# Google's generated stubs.


def test_predict_over_grpc(server):
    response = predict(server, "half_plus_two", X)
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), [2.5, 3.0, 4.5])
    # Clients without TensorFlow read the typed field.
    assert list(response.outputs["y"].float_val) == [2.5, 3.0, 4.5]
    assert (response.model_spec.name, response.model_spec.version.value) == ("half_plus_two", 123)
    assert response.model_spec.signature_name == "serving_default"


def test_versions_and_labels_over_grpc(server):
    for choice, version in (({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary"}, 2)):
        response = predict(server, "numbered", X, **choice)
        assert tf.make_ndarray(response.outputs["version"]).tolist() == [version] * 3
        assert response.model_spec.version.value == version


def test_output_filter(server):
    assert set(predict(server, "numbered", X).outputs) == {"version", "x"}
    assert set(predict(server, "numbered", X, outputs=["x"]).outputs) == {"x"}


def test_every_type_travels_both_ways(server):
    for name in ("float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "uint64", "bool"):
        values = np.array([[0, 1, 1], [1, 0, 1]]).astype(name)
        if name not in ("bool",):
            values[0, 1] = np.iinfo(name).max if values.dtype.kind in "iu" else 1 / 3
        answer = tf.make_ndarray(predict(server, "identity", {"x": values}, name).outputs["y"])
        assert answer.dtype == values.dtype
        np.testing.assert_array_equal(answer, values)
    texts = np.array([[b"\xff\x00", "größe".encode()]], object)
    answer = tf.make_ndarray(predict(server, "identity", {"x": texts}, "string").outputs["y"])
    np.testing.assert_array_equal(answer, texts)


def test_no_rows_is_a_batch_too(server):
    answer = tf.make_ndarray(predict(server, "half_plus_two", {"x": np.zeros([0], np.float32)}).outputs["y"])
    assert answer.shape == (0,)


def test_wrong_grpc_requests_are_refused_in_tensorflow_servings_words(server):
    call = server.prediction.Predict
    code, message = grpc.StatusCode, refusal(call, request_of("nowhere", X))
    assert message == (code.NOT_FOUND, "Servable not found for request: Latest(nowhere)")
    message = refusal(call, request_of("numbered", X, version=7))
    assert message == (code.NOT_FOUND, "Servable not found for request: Specific(numbered, 7)")
    message = refusal(call, request_of("numbered", X, label="beta"))
    assert message == (code.INVALID_ARGUMENT, "Unrecognized servable version label: beta")
    message = refusal(call, request_of("numbered", X, signature="other"))
    assert message == (code.FAILED_PRECONDITION, 'Serving signature key "other" not found.')
    assert refusal(call, predict_pb2.PredictRequest()) == (code.INVALID_ARGUMENT, "Missing ModelSpec")
    got, message = refusal(call, request_of("numbered", {}))
    assert got is code.INVALID_ARGUMENT and message.startswith("input size does not match signature: 0!=1 len({})")
    got, message = refusal(call, request_of("numbered", X, outputs=["nothing"]))
    assert got is code.INVALID_ARGUMENT and "output tensor alias not found in signature: nothing" in message
    got, _ = refusal(call, request_of("numbered", {"x": np.zeros([2], np.float64)}))
    assert got is code.INVALID_ARGUMENT
    got, _ = refusal(call, request_of("numbered", {"z": np.zeros([2], np.float32)}))
    assert got is code.INVALID_ARGUMENT
    got, _ = refusal(call, request_of("named", {"x": np.array([-1.0], np.float32)}, "non_negative"))
    assert got is code.INVALID_ARGUMENT


@pytest.mark.parametrize("character", ["a", "\N{GRINNING FACE}"])
def test_a_long_message_fits_the_header_that_it_travels_in(server, character):
    got, message = refusal(server.prediction.Predict, request_of(200_000 // len(character.encode()) * character, X))
    assert got is grpc.StatusCode.NOT_FOUND
    assert message.startswith(f"Servable not found for request: Latest({character}")
    assert message.endswith("...TRUNCATED") and len(message.encode()) <= 1024 + len("...TRUNCATED")


def test_status_over_grpc(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "numbered"
    entries = server.models.GetModelStatus(request, timeout=TIMEOUT).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert sorted((entry.version, entry.state, entry.status.error_code) for entry in entries) == [
        (1, available, 0),
        (2, available, 0),
    ]
    request.model_spec.version.value = 2
    (entry,) = server.models.GetModelStatus(request, timeout=TIMEOUT).model_version_status
    assert entry.version == 2
    request.model_spec.version.value = 3
    code, message = refusal(server.models.GetModelStatus, request)
    assert (code, message) == (grpc.StatusCode.NOT_FOUND, "Could not find version 3 of model numbered")


def test_metadata_over_grpc(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "generator"
    response = server.prediction.GetModelMetadata(request, timeout=TIMEOUT)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "sample", "png"} <= set(signatures.signature_def)
    seeds = signatures.signature_def["sample"].inputs["seeds"]
    assert seeds.dtype == tf.int64.as_datatype_enum and [dim.size for dim in seeds.tensor_shape.dim] == [-1]
    request.metadata_field[:] = ["other"]
    assert refusal(server.prediction.GetModelMetadata, request)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_the_calls_that_take_examples_are_unimplemented(embedded):
    calls = embedded.prediction
    for call, request in (
        (calls.Classify, classification_pb2.ClassificationRequest()),
        (calls.Regress, regression_pb2.RegressionRequest()),
        (calls.MultiInference, inference_pb2.MultiInferenceRequest()),
    ):
        assert refusal(call, request)[0] is grpc.StatusCode.UNIMPLEMENTED


def test_health(embedded):
    services = ["PredictionService", "ModelService"]  # TensorFlow Serving's names
    for service in ("", *services, *(f"tensorflow.serving.{name}" for name in services)):
        assert health(embedded, service) == 1
    with pytest.raises(grpc.RpcError) as refused:
        health(embedded, "other")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_generator_answers_with_the_images_of_its_saved_model(server, models):
    from export.generators import Generator

    seeds = np.arange(5, dtype=np.int64)
    response = predict(server, "generator", {"seeds": seeds}, "sample")
    np.testing.assert_array_equal(
        tf.make_ndarray(response.outputs["images"]), Generator.load(models / "generator").sample(seeds)
    )


# ovmsclient, the client of OpenVINO's model server, which speaks this protocol too.


@pytest.fixture(params=["grpc", "http"])
def ovms(request, server):
    import ovmsclient

    if request.param == "grpc":
        return ovmsclient.make_grpc_client(f"{server.host}:{server.grpc_port}")
    return ovmsclient.make_http_client(f"{server.host}:{server.rest_port}")


def test_ovmsclient(ovms):
    import ovmsclient

    # Every call gives a version: without one the client sends 0, which only OpenVINO takes for the newest.
    np.testing.assert_array_equal(ovms.predict({"x": X["x"]}, "half_plus_two", 123), [2.5, 3.0, 4.5])
    for version in (1, 2):
        answer = ovms.predict({"x": X["x"]}, "numbered", version)
        np.testing.assert_array_equal(answer["version"], [version] * 3)
        (status,) = ovms.get_model_status("numbered", version).items()
        assert status[0] == version and status[1]["state"] == "AVAILABLE" and status[1]["error_code"] == 0
    metadata = ovms.get_model_metadata("half_plus_two", 123)
    if "metadata" in metadata:  # over HTTP the client hands out the whole answer
        metadata = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert metadata["inputs"]["x"]["dtype"] == metadata["outputs"]["y"]["dtype"] == "DT_FLOAT"
    with pytest.raises(ovmsclient.ModelNotFoundError):
        ovms.predict({"x": X["x"]}, "nowhere", 1)


# curl, with the bodies of TensorFlow Serving's REST guide.


def curl(server, path, body=None, *options):
    """(status, text) of a request made by curl."""
    if not shutil.which("curl"):
        pytest.skip("no curl on the path")
    data = [] if body is None else ["-d", body if isinstance(body, str) else json.dumps(body), "-X", "POST"]
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code} %{content_type}", *data, *options, server.url(path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    text, _, last = done.stdout.rpartition("\n")
    status, _, content_type = last.partition(" ")
    assert content_type.startswith("application/json")
    return int(status), json.loads(text)


def test_curl_status(server):
    ok = {"error_code": "OK", "error_message": ""}
    assert curl(server, "/v1/models/half_plus_two") == (
        200,
        {"model_version_status": [{"version": "123", "state": "AVAILABLE", "status": ok}]},
    )
    for path in ("/versions/1", "/labels/stable"):
        status, answer = curl(server, f"/v1/models/numbered{path}")
        assert status == 200 and [each["version"] for each in answer["model_version_status"]] == ["1"]
    assert curl(server, "/v1/models/nowhere") == (404, {"error": "Could not find any versions of model nowhere"})
    assert curl(server, "/v1/models/numbered/versions/9") == (
        404,
        {"error": "Could not find version 9 of model numbered"},
    )


def test_curl_metadata(server):
    status, answer = curl(server, "/v1/models/half_plus_two/metadata")
    assert status == 200 and answer["model_spec"]["name"] == "half_plus_two"
    assert answer["model_spec"]["version"] == "123"
    x = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert x["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}


def test_curl_rows_and_columns(server):
    path = "/v1/models/half_plus_two:predict"
    assert curl(server, path, '{"instances": [1.0,2.0,5.0]}') == (200, {"predictions": [2.5, 3.0, 4.5]})
    assert curl(server, path, '{"inputs": [1.0,2.0,5.0]}') == (200, {"outputs": [2.5, 3.0, 4.5]})
    assert curl(server, path, '{"instances": [{"x": 1.0}, {"x": 2.0}]}') == (200, {"predictions": [2.5, 3.0]})
    assert curl(server, path, '{"signature_name": "serving_default", "inputs": {"x": [1]}}') == (
        200,
        {"outputs": [2.5]},
    )
    status, answer = curl(server, path, '{"instances": [NaN, Infinity, -Infinity]}')
    assert status == 200 and str(answer["predictions"]) == "[nan, inf, -inf]"
    numbered = "/v1/models/numbered"
    for path, version in (("/versions/1", 1), ("/labels/canary", 2), ("", 2)):
        status, answer = curl(server, f"{numbered}{path}:predict", '{"instances": [1.0, 2.0]}')
        assert (status, answer) == (
            200,
            {"predictions": [{"version": version, "x": 1.0}, {"version": version, "x": 2.0}]},
        )


_TAG, _BYTES = "aW1hZ2UgYnl0ZXM=", "image bytes"


def test_curl_several_named_inputs_and_base64(server):
    path = "/v1/models/named:predict"
    rows = [
        {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
        {"tag": {"b64": _TAG}, "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
    ]
    status, answer = curl(server, path, {"instances": rows})
    assert status == 200
    assert answer["predictions"] == [
        {"tag": "foo", "tag_bytes": {"b64": "Zm9v"}, "total": 25.0},
        {"tag": _BYTES, "tag_bytes": {"b64": _TAG}, "total": 38.0},
    ]
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    status, answer = curl(server, path, {"inputs": columns})
    assert status == 200 and answer["outputs"] == {
        "tag": ["foo", _BYTES],
        "tag_bytes": [{"b64": "Zm9v"}, {"b64": _TAG}],
        "total": [25.0, 38.0],
    }


def test_curl_every_type_of_the_guide(server):
    for name in ("float32", "float64", "int8", "uint8", "int16", "int32", "int64", "uint32", "uint64"):
        values = [[1, 2], [3, 0.1 if name.startswith("float") else 4]]
        body = {"signature_name": name, "inputs": values}
        assert curl(server, "/v1/models/identity:predict", body) == (200, {"outputs": values})
    body = {"signature_name": "bool", "instances": [[True, False]]}
    assert curl(server, "/v1/models/identity:predict", body) == (200, {"predictions": [[True, False]]})


def test_wrong_rest_requests_are_refused_in_tensorflow_servings_words(server):
    path, good = "/v1/models/half_plus_two:predict", '{"instances": [1.0,5.0]}'
    assert curl(server, "/v1/models/half:predict", good) == (
        404,
        {"error": "Servable not found for request: Latest(half)"},
    )
    assert curl(server, "/v1/models/numbered/versions/8:predict", good) == (
        404,
        {"error": "Servable not found for request: Specific(numbered, 8)"},
    )
    assert curl(server, "/v1/models/numbered/labels/no:predict", good) == (
        400,
        {"error": "Unrecognized servable version label: no"},
    )
    assert curl(server, path, '{"instances": ["x"]}')[0] == 400
    for body, part in (
        ("{", "JSON Parse error"),
        ("[1]", "Is not object"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"instances": 3}', "Expecting 'instances' to be an list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        ('{"instances": [1], "inputs": [1]}', "expecting only one of 'inputs' or 'instances' keys to exist"),
        ('{"instances": [1, [2]]}', ""),
        ('{"instances": [true]}', "is not of expected type: float"),
        ('{"instances": [{"z": 1}]}', "does not have named input: z"),
        ('{"inputs": {"z": [1]}}', "Missing named input: x in 'inputs' object."),
        ('{"signature_name": 3, "instances": [1]}', "'signature_name' key must be a string value."),
        ('{"signature_name": "no", "instances": [1]}', 'Serving signature name: "no" not found in signature def'),
    ):
        status, answer = curl(server, path, body)
        assert status == 400 and list(answer) == ["error"], body
        assert part in answer["error"]
    assert curl(server, "/v1/models/half_plus_two:generate", good) == (
        400,
        {"error": "Malformed request: POST /v1/models/half_plus_two:generate"},
    )
    assert curl(server, "/v1/models") == (400, {"error": "Missing model name in request."})


def test_rest_calls_that_take_examples_are_unimplemented(embedded):
    for call in ("classify", "regress"):
        assert curl(embedded, f"/v1/models/half_plus_two:{call}", '{"examples": [{"x": 1}]}')[0] == 501
