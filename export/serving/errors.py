"""Errors as the wire knows them: a gRPC status code and a message, and the HTTP status that goes with the code."""

import grpc

Code = grpc.StatusCode

#: How TensorFlow Serving's REST API tells a status code (tensorflow_serving/model_servers/http_server.cc).
HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
_BY_NUMBER = {code.value[0]: code for code in Code}


class ServingError(Exception):
    """A request that is answered with an error.

    Attributes:
        code: grpc.StatusCode.
        message: for the client to read.
        http_status: how REST tells it; by default what goes with the code.
    """

    def __init__(self, code, message, http_status=None):
        super().__init__(message)
        self.code, self.message, self.http_status = code, message, http_status or HTTP_STATUS[code]

    @property
    def number(self):
        """The code as protocol buffers have it."""
        return self.code.value[0]

    @classmethod
    def of(cls, error):
        """The same as `error`: TensorFlow's own codes are kept; anything else is INTERNAL.

        TensorFlow for Python appends where in some program the graph was built; clients get what was wrong alone.
        """
        if isinstance(error, cls):
            return error
        number = getattr(error, "error_code", None)
        if number in _BY_NUMBER:
            lines = str(error.message).split("\n\nOriginal stack trace", 1)[0].strip().splitlines()
            return cls(_BY_NUMBER[number], lines[-1] if lines else type(error).__name__)
        return cls(Code.INTERNAL, f"{type(error).__name__}: {error}")


def invalid(message):
    """The error for what a client must change before it asks again."""
    return ServingError(Code.INVALID_ARGUMENT, message)
