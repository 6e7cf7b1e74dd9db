"""The server's gRPC API, built on the generated TensorFlow Serving services."""

import asyncio
import ssl
import tempfile
import time

import grpc
from absl import logging
from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    model_management_pb2,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from export.serving import proto_tensors
from export.serving.errors import Code, ServingError, invalid
from export.serving.servable import DEFAULT_SIGNATURE, check_outputs
from zoo.errors import RequestError

#: Messages of at most so many bytes are decoded and encoded on the event loop, larger ones in a thread. The limit for
#: responses is higher because they are only copied; a request may hold its numbers one by one.
_SMALL_REQUEST, _SMALL_RESPONSE = 256 << 10, 2 << 20
#: Most bytes of an error message, as in TensorFlow Serving: it is sent in an HTTP/2 header, whose size clients limit.
_LONGEST_MESSAGE = 1024
_PREDICTION = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"]
_MODEL = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"]


async def _abort(context, code, message):
    text = message.encode(errors="replace")
    if len(text) > _LONGEST_MESSAGE:
        text = text[:_LONGEST_MESSAGE] + b"...TRUNCATED"
    await context.abort(code, text.decode(errors="ignore"))


class _Service:
    def __init__(self, api, seconds):
        self._api, self._seconds = api, seconds

    def _left(self, context):
        """Seconds that a call may take: the earlier of the client's deadline and the server's."""
        left = context.time_remaining()
        return self._seconds if left is None else min(left, self._seconds)

    async def _answer(self, context, model, name, work):
        try:
            return await self._api.answer(model, name, "GRPC", self._left(context), work)
        except ServingError as error:
            await _abort(context, error.code, error.message)


class PredictionService(_Service, prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; Classify, Regress and MultiInference, which take tf.Examples, are UNIMPLEMENTED.

    Args:
        api: `api.Api`.
        seconds: longest time for one call.
        as_content: as in `proto_tensors.predict_response`.
    """

    def __init__(self, api, seconds, as_content=False):
        super().__init__(api, seconds)
        self._as_content = as_content

    async def Predict(self, request, context):
        deadline = time.monotonic() + self._left(context)
        return await self._answer(context, request.model_spec.name, "Predict", self._predict(request, deadline))

    async def GetModelMetadata(self, request, context):
        return await self._answer(context, request.model_spec.name, "GetModelMetadata", self._metadata(request))

    async def Classify(self, request, context):
        return await self._answer(context, "", "Classify", self._not_supported("Classify"))

    async def Regress(self, request, context):
        return await self._answer(context, "", "Regress", self._not_supported("Regress"))

    async def MultiInference(self, request, context):
        return await self._answer(context, "", "MultiInference", self._not_supported("MultiInference"))

    async def _not_supported(self, name):
        raise ServingError(Code.UNIMPLEMENTED, f"{name} is not supported; use Predict")

    async def _predict(self, request, deadline):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec, limits = request.model_spec, self._api.limits
        with self._api.manager.lease(spec) as version:
            signature = version.servable.signature(spec.signature_name)
            if request.ByteSize() <= _SMALL_REQUEST:
                inputs = signature.decode(request.inputs, limits)
            else:
                inputs = await asyncio.to_thread(signature.decode, request.inputs, limits)
            aliases = signature.select(request.output_filter)
            signature.check_response(inputs, limits.response_bytes)
            outputs = await version.run(signature, inputs, deadline)
            number = version.number
        outputs = {alias: outputs[alias] for alias in aliases}
        check_outputs(outputs, limits.response_bytes)
        if sum(value.nbytes for value in outputs.values()) <= _SMALL_RESPONSE:
            return self._response(spec, number, outputs)
        return await asyncio.to_thread(self._response, spec, number, outputs)

    def _response(self, spec, number, outputs):
        told = model_pb2.ModelSpec(name=spec.name, signature_name=spec.signature_name or DEFAULT_SIGNATURE)
        told.version.value = number
        return proto_tensors.predict_response(told, outputs, self._as_content)

    async def _metadata(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self._api.metadata(request)


class ModelService(_Service, model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        api, seconds: as in `PredictionService`.
        allow_reload: whether clients may replace the config, and so load models from any directory.
    """

    def __init__(self, api, seconds, allow_reload=False):
        super().__init__(api, seconds)
        self._allow_reload = allow_reload

    async def GetModelStatus(self, request, context):
        return await self._answer(context, request.model_spec.name, "GetModelStatus", self._status(request))

    async def HandleReloadConfigRequest(self, request, context):
        if not self._allow_reload:
            logging.warning("%s sends a config and is refused: --allow_reload_config_requests is off", context.peer())
            await context.abort(
                Code.PERMISSION_DENIED, "HandleReloadConfigRequest needs --allow_reload_config_requests"
            )
        logging.info("%s sends a config of %d models", context.peer(), len(request.config.model_config_list.config))
        # Shielded: if the client disconnects, the config is still applied in full.
        work = asyncio.ensure_future(self._api.manager.reload(request.config))
        try:
            await asyncio.shield(work)
        except ServingError as error:
            logging.error("the config of %s cannot be taken: %s", context.peer(), error.message)
            await _abort(context, error.code, error.message)
        return model_management_pb2.ReloadConfigResponse(status={"error_code": 0})

    async def _status(self, request):
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self._api.status(request.model_spec)


class Health(health.aio.HealthServicer):
    """gRPC's health service: SERVING while every model of the config has a version that takes requests.

    Errors in polling for versions do not change it, because loaded versions still answer; a metric counts them.
    """

    async def show(self, serving):
        status = health_pb2.HealthCheckResponse
        # TensorFlow Serving's health service uses short service names, gRPC's convention full ones: set both.
        names = [name for service in (_PREDICTION, _MODEL) for name in (service.name, service.full_name)]
        for service in ("", *names):
            await self.set(service, status.SERVING if serving else status.NOT_SERVING)


def _handlers(service, servicer):
    """The generic handler of a service's methods.

    Differs from the generated `add_…_to_server` in two ways: a malformed message is answered with INTERNAL, as by
    gRPC's other servers (grpc.aio answers UNKNOWN), and a response may already be serialised bytes.
    """

    def handler(method):
        kind, answer = message_factory.GetMessageClass(method.input_type), getattr(servicer, method.name)

        async def call(body, context):
            try:
                request = kind.FromString(body)
            except DecodeError as error:
                logging.warning("GRPC malformed %s from %s: %s", method.name, context.peer(), error)
                await _abort(context, Code.INTERNAL, str(error))
            return await answer(request, context)

        return grpc.unary_unary_rpc_method_handler(call, response_serializer=_serialized)

    return grpc.method_handlers_generic_handler(
        service.full_name, {method.name: handler(method) for method in service.methods}
    )


def _serialized(response):
    return response if isinstance(response, bytes) else response.SerializeToString()


def build(api, *, seconds, max_bytes, max_requests, as_content=False, allow_reload=False):
    """Builds the server without starting it.

    Args:
        api, seconds, as_content, allow_reload: as in the services.
        max_bytes: largest request message; a larger one is refused with RESOURCE_EXHAUSTED.
        max_requests: most requests at the same time; further ones are refused with RESOURCE_EXHAUSTED.

    Returns:
        (grpc.aio server, its `Health`).
    """
    server = grpc.aio.server(
        maximum_concurrent_rpcs=max_requests,
        options=[
            ("grpc.max_receive_message_length", max_bytes),
            ("grpc.max_send_message_length", -1),
            # Fail on a port in use instead of sharing it.
            ("grpc.so_reuseport", 0),
        ],
    )
    server.add_generic_rpc_handlers(
        [
            _handlers(_PREDICTION, PredictionService(api, seconds, as_content)),
            _handlers(_MODEL, ModelService(api, seconds, allow_reload)),
        ]
    )
    status = Health()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    return server, status


def credentials(config):
    """grpc.ServerCredentials from an SSLConfig message, whose fields hold PEM texts.

    Checked here because gRPC would report only that the port cannot be bound.

    Raises:
        RequestError: key and certificate are invalid or do not match, or the authority's certificates are invalid.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # `load_cert_chain` reads only files; this one is readable by this user alone.
    with tempfile.NamedTemporaryFile("w") as pair:
        pair.write(f"{config.server_key}\n{config.server_cert}\n")
        pair.flush()
        try:
            context.load_cert_chain(pair.name)
        except ssl.SSLError as error:
            expected = "expected a private key and its certificate chain as PEM texts"
            raise RequestError(f"--ssl_config_file: server_key, server_cert: {expected} ({error})") from error
    try:
        if config.custom_ca:
            context.load_verify_locations(cadata=config.custom_ca)
    except (ssl.SSLError, ValueError) as error:
        raise RequestError(f"--ssl_config_file: custom_ca: expected certificates as PEM texts ({error})") from error
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
