"""The part of the API that gRPC and REST share."""

import asyncio
import time

from absl import logging
from google.protobuf import any_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from export.serving.errors import Code, ServingError, invalid, one_line

_SIGNATURES = "signature_def"
_NO_FAULT = (Code.OK, Code.CANCELLED)
_OWN_FAULT = (Code.UNKNOWN, Code.INTERNAL, Code.DATA_LOSS)


class Api:
    """Answers calls: logging, metrics and time limits, model status and metadata.

    Args:
        manager: `models.Manager`.
        metrics: `monitoring.Metrics`.
        limits: `servable.Limits`.
    """

    def __init__(self, manager, metrics, limits):
        self.manager, self.metrics, self.limits = manager, metrics, limits

    async def answer(self, name, api, entrypoint, seconds, work):
        """Awaits `work` with a time limit, counts it and logs it.

        Args:
            name: the model's name as the client gave it.
            api, entrypoint: as in `Metrics.record`.
            seconds: time limit.
            work: coroutine.

        Returns:
            The result of `work`.

        Raises:
            ServingError: any error of `work`; DEADLINE_EXCEEDED after `seconds`.
        """
        start, code, cause = time.perf_counter(), Code.OK, ""
        try:
            with self.metrics.in_flight(entrypoint):
                return await asyncio.wait_for(work, seconds)
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        except Exception as error:
            if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
                error = ServingError(Code.DEADLINE_EXCEEDED, f"not answered within {seconds:.3g} seconds")
            error = ServingError.of(error)
            code, cause = error.code, f": {one_line(error.message)}"
            # Drop the traceback: it and asyncio's futures form a reference cycle, and its frames would hold the decoded
            # request until the next garbage collection.
            raise error.with_traceback(None) from None
        finally:
            known = name if self.manager.knows(name) else ""
            took = time.perf_counter() - start
            self.metrics.record(known, api, entrypoint, code, took)
            level = logging.INFO if code in _NO_FAULT else logging.ERROR if code in _OWN_FAULT else logging.WARNING
            told = known or one_line(name, 64)
            logging.log(level, "%s %s %s %s %.1f ms%s", entrypoint, api, told, code.name, 1e3 * took, cause)

    def status(self, spec):
        """GetModelStatusResponse for a ModelSpec. Raises ServingError where it names no version."""
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self.manager.status(spec):
            entry = response.model_version_status.add(version=version.number, state=version.state)
            entry.status.error_code = version.error.number if version.error else 0
            entry.status.error_message = version.error.message if version.error else ""
        return response

    def metadata(self, request):
        """GetModelMetadataResponse for a GetModelMetadataRequest. Raises ServingError."""
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise invalid(f"Metadata field {field} is not supported")
        with self.manager.lease(request.model_spec) as version:
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = version.number
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in version.servable.definitions.items():
                signatures.signature_def[name].CopyFrom(definition)
        packed = any_pb2.Any()
        packed.Pack(signatures)
        response.metadata[_SIGNATURES].CopyFrom(packed)
        return response
