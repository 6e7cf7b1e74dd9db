"""The server's REST API, with TensorFlow Serving's paths, bodies and status codes (its guide api_rest.md)."""

import asyncio
import contextlib
import functools
import re
import time
import urllib.parse
import zlib
from concurrent.futures import ThreadPoolExecutor

from absl import logging
from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2

from export.serving import json_tensors, monitoring
from export.serving.errors import Code, ServingError, invalid, one_line
from export.serving.models import give_back
from export.serving.servable import check_outputs

_NAMED = r"(?i:/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_CALL = re.compile(_NAMED + r":(?P<call>classify|regress|predict))")
_STATUS = re.compile(_NAMED + r"(?P<metadata>/metadata)?)")
#: Requests whose JSON is read or written at the same time. JSON can take 30 times its size in memory, and more threads
#: would not be faster, because only one at a time holds the interpreter lock.
THREADS = 2
#: Body size in bytes above which memory is returned to the system afterwards: parsing takes up to 30 times as much.
_LARGE = 1 << 20
#: Limit on the total size of undecoded bodies in memory, as a multiple of the largest body's size.
_BODIES = 8
_NO_NAME = re.compile(r"(?i:/v1/models/?)")


class Rest:
    """Handlers of the REST API.

    Args:
        api: `api.Api`.
        seconds: longest time for one request, including the arrival of its body.
        max_bytes: largest request body, before and after decompression.
        metrics_path: path of the Prometheus metrics, or None for no metrics page.
        threads: requests whose JSON is read or written at the same time.
    """

    def __init__(self, api, seconds, max_bytes, metrics_path=None, threads=THREADS):
        self._api, self._seconds, self._max_bytes, self._metrics_path = api, seconds, max_bytes, metrics_path
        self._threads = ThreadPoolExecutor(threads, "rest")
        self._waiting_bytes, self._give_back = 0, None

    def routes(self):
        """Routes for a web.Application: the metrics, and every path below /v1."""
        metrics = [web.get(self._metrics_path, self._metrics)] if self._metrics_path else []
        return [*metrics, web.route("*", "/{path:(?i:v1)(?:/.*)?}", self._handle)]

    async def _metrics(self, request):
        return web.Response(body=self._api.metrics.page(), headers={"Content-Type": monitoring.CONTENT_TYPE})

    async def _handle(self, request):
        # The undecoded path: an escaped slash or colon belongs to a name.
        path = request.rel_url.raw_path
        if request.method == "OPTIONS":
            # CORS preflight; `allow_any_origin` sets the headers.
            if re.match("https?://", request.headers.get("Origin", "")):
                return web.Response()
            raise ServingError(Code.FAILED_PRECONDITION, "Origin header is missing in CORS preflight")
        pattern = {"POST": _CALL, "GET": _STATUS}.get(request.method)
        match = pattern and pattern.fullmatch(path)
        if not match:
            no_name = request.method == "GET" and _NO_NAME.fullmatch(path)
            logging.warning("REST malformed: %s %s", request.method, one_line(path))
            raise invalid(
                "Missing model name in request." if no_name else f"Malformed request: {request.method} {path}"
            )
        if pattern is _CALL:
            deadline = time.monotonic() + self._seconds
            work, name = self._call(request, match, deadline), match["call"].capitalize()
        else:
            name = "GetModelMetadata" if match["metadata"] else "GetModelStatus"
            work = self._metadata(match) if match["metadata"] else self._status(match)
        model = urllib.parse.unquote(match["name"])
        body = await self._api.answer(model, name, "REST", self._seconds, work)
        return web.Response(body=body, content_type="application/json")

    async def _status(self, match):
        # `_to_json` also prints fields that are zero, such as an error code of OK.
        return _to_json(self._api.status(_spec(match))).encode()

    async def _metadata(self, match):
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=_spec(match), metadata_field=["signature_def"]
        )
        response = self._api.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        spec, signatures = _to_json(response.model_spec), _to_json(signatures)
        return f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {signatures}}}\n}}\n'.encode()

    async def _call(self, request, match, deadline):
        call = match["call"].lower()
        if call != "predict":
            raise ServingError(Code.UNIMPLEMENTED, f"{call} is not supported; use predict")
        limits = self._api.limits
        with contextlib.ExitStack() as leases:
            async with self._body(request) as body:
                version = leases.enter_context(self._api.manager.lease(_spec(match)))
                encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
                read = functools.partial(_read, body, encoding, self._max_bytes)
                signature, inputs, rows = await self._in_thread(read, version.servable, limits)
            signature.check_response(inputs, limits.json_response_bytes)
            outputs = await version.run(signature, inputs, deadline)
        check_outputs(outputs, limits.json_response_bytes)
        return await self._in_thread(json_tensors.write_outputs, outputs, rows)

    async def _in_thread(self, function, *args):
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    @contextlib.asynccontextmanager
    async def _body(self, request):
        """Context manager: a request's body, bytearray, counted in `_waiting_bytes` inside the with block."""
        body = bytearray()
        try:
            while chunk := await request.content.readany():
                body += chunk
                self._waiting_bytes += len(chunk)
                if len(body) > self._max_bytes:
                    raise _too_large(self._max_bytes)
                if self._waiting_bytes > _BODIES * self._max_bytes:
                    raise ServingError(Code.UNAVAILABLE, "too many large requests at the same time")
            yield body
        except web.RequestPayloadError as error:
            raise invalid(f"the request's body cannot be read: {error.__cause__ or error}") from None
        except ConnectionError:
            raise ServingError(Code.CANCELLED, "the client hung up") from None
        finally:
            self._waiting_bytes -= len(body)
            if len(body) > _LARGE and not self._give_back:
                self._give_back = asyncio.get_running_loop().call_later(1, self._return_memory)

    def _return_memory(self):
        self._give_back = None
        self._threads.submit(give_back)


def _too_large(most):
    message = f"the request's body is larger than {most} bytes"
    return ServingError(Code.RESOURCE_EXHAUSTED, message, web.HTTPRequestEntityTooLarge.status_code)


def _decompressed(body, encoding, most):
    """Decompresses a body, bytes-like; at most `most` bytes are produced. Raises ServingError."""
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "deflate"):
        message = f"Content-Encoding {encoding!r}; expected gzip, deflate or identity"
        raise ServingError(Code.INVALID_ARGUMENT, message, web.HTTPUnsupportedMediaType.status_code)
    # Some clients send deflate without the zlib header, whose first byte has 8 in the low half.
    bare = encoding == "deflate" and body[:1] and body[0] & 0xF != 8
    decoder = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS + (16 if encoding == "gzip" else 0))
    try:
        plain = decoder.decompress(body, most + 1)
    except zlib.error as error:
        raise invalid(f"the request's body is no {encoding}: {error}") from None
    if len(plain) > most:
        raise _too_large(most)
    if not decoder.eof:
        raise invalid(f"the request's body is no {encoding}: it ends early")
    return plain


def _read(body, encoding, most, servable, limits):
    """Decodes a predict request's body, in a thread: (signature, inputs, whether the answer is in row format)."""
    try:
        return _of_document(_decompressed(body, encoding, most), servable, limits)
    except ServingError as error:
        # Drop the frames, which hold the document: the thread may read the next body before the event loop takes the
        # error.
        raise error.with_traceback(None) from None


def _of_document(body, servable, limits):
    document = json_tensors.parse(body)
    name = json_tensors.signature_name(document)
    if name and name not in servable.signatures:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    signature = servable.signature(name)
    return signature, *json_tensors.read_inputs(document, signature, limits)


def _spec(match):
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(match["name"]))
    if match["version"]:
        # Checked before the conversion, because Python refuses to convert thousands of digits.
        digits = match["version"].lstrip("0") or "0"
        if len(digits) > 19 or int(digits) >= 2**63:
            raise invalid(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(digits)
    elif match["label"]:
        spec.version_label = urllib.parse.unquote(match["label"])
    return spec


def _to_json(message):
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=1
    )


async def allow_any_origin(request, response):
    """Adds CORS headers that let pages of any site read the REST API. A handler for `on_response_prepare`."""
    if re.match("(?i)/v1/", request.path):
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Methods"] = "POST, GET"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"


@web.middleware
async def errors_as_json(request, handler):
    """Writes every error, aiohttp's own included, as TensorFlow Serving does: {"error": message}."""
    try:
        return await handler(request)
    except ServingError as error:
        status, message = error.http_status, error.message
    except web.HTTPException as error:
        if error.status < 400:
            raise
        status, message = error.status, error.text or error.reason
        logging.warning("REST %d: %s %s", status, request.method, one_line(request.rel_url.raw_path))
    return web.json_response({"error": message}, status=status)
