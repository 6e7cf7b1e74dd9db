"""--ssl_config_file: gRPC over TLS with client certificates, the authority and the certificates made by trustme."""

import grpc
import pytest
import trustme
from google.protobuf import text_format
from harness import TIMEOUT, X, request_of, start, wait_until
from tensorflow_serving.apis import prediction_service_pb2_grpc

from export.serving import grpc_service, protos
from export.serving.client import Client
from zoo.errors import RequestError


def flags(models):
    return f"--model_config_file={models}/models.config", "--allow_version_labels_for_unavailable_models"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def secured(authority, models, tmp_path_factory):
    """The address of a server that proves who it is and asks its clients to."""
    folder, certificate = tmp_path_factory.mktemp("secured"), authority.issue_cert("localhost")
    config = protos.SSLConfig(
        server_key=certificate.private_key_pem.bytes().decode(),
        server_cert="".join(part.bytes().decode() for part in certificate.cert_chain_pems),
        custom_ca=authority.cert_pem.bytes().decode(),
        client_verify=True,
    )
    file = folder / "ssl.config"
    file.write_text(text_format.MessageToString(config))
    running = start(folder, *flags(models), f"--ssl_config_file={file}")
    try:
        wait_until(lambda: "gRPC at" in running.log.read_text() or running.process.poll() is not None, 400)
        yield f"localhost:{running.grpc_port}"
    finally:
        running.channel.close()
        running.process.kill()
        running.process.wait()


def credentials(authority, certificate=None):
    if certificate is None:
        return grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    return grpc.ssl_channel_credentials(authority.cert_pem.bytes(), certificate.private_key_pem.bytes(), chain)


def predict(channel):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    return stub.Predict(request_of("half_plus_two", X), timeout=TIMEOUT)


def test_who_shows_a_certificate_of_the_authority_is_answered(secured, authority):
    known = credentials(authority, authority.issue_cert("client.example"))
    with grpc.secure_channel(secured, known) as channel:
        assert list(predict(channel).outputs["y"].float_val) == [2.5, 3.0, 4.5]
    with Client(secured, "generator", credentials=known) as client:
        (images,) = client.sample(range(3))
    assert len(images) == 3


def test_who_shows_none_or_a_strangers_is_not(secured, authority):
    stranger = trustme.CA()
    for credential in (
        credentials(authority),
        credentials(authority, stranger.issue_cert("client.example")),
        credentials(stranger, authority.issue_cert("client.example")),
    ):
        with grpc.secure_channel(secured, credential) as channel, pytest.raises(grpc.RpcError) as failure:
            predict(channel)
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    with grpc.insecure_channel(secured) as channel, pytest.raises(grpc.RpcError) as failure:
        predict(channel)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_key_without_its_certificate_is_refused(authority):
    one, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    pem = [one.private_key_pem.bytes().decode(), one.cert_chain_pems[0].bytes().decode()]
    grpc_service.credentials(protos.SSLConfig(server_key=pem[0], server_cert=pem[1]))
    for key, certificate in (("no key", "none"), (pem[0], other.cert_chain_pems[0].bytes().decode()), ("", "")):
        with pytest.raises(RequestError, match=r"--ssl_config_file: server_key, server_cert: expected .* PEM"):
            grpc_service.credentials(protos.SSLConfig(server_key=key, server_cert=certificate))
    for ca in ("nobody", pem[0]):
        with pytest.raises(RequestError, match=r"--ssl_config_file: custom_ca: expected .* PEM"):
            grpc_service.credentials(protos.SSLConfig(server_key=pem[0], server_cert=pem[1], custom_ca=ca))
