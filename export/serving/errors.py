"""Errors of the API: a gRPC status code, a message, and the HTTP status of the code."""

import re

import grpc

Code = grpc.StatusCode

#: HTTP status of each code in TensorFlow Serving's REST API (tensorflow_serving/model_servers/http_server.cc).
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
#: Text after the cause in a TensorFlow error's message: the node that failed, and Python stack traces.
_AFTER_CAUSE = re.compile(r"\n\t \[\[|\nTraceback \(most recent call last\)|\n\nOriginal stack trace")
#: Lines before the cause: a headline, the node, and the stack trace of the graph's construction.
_BEFORE_CAUSE = re.compile(
    r"Graph execution error:|Detected at node |Node: |<stack traces unavailable>|  File |    |\d+ root error\(s\) found"
)


class ServingError(Exception):
    """The error that answers a request.

    Attributes:
        code: grpc.StatusCode.
        message: for the client.
        http_status: status of the REST response; by default that of the code in `HTTP_STATUS`.
    """

    def __init__(self, code, message, http_status=None):
        super().__init__(message)
        self.code, self.message, self.http_status = code, message, http_status or HTTP_STATUS[code]

    @property
    def number(self):
        """The code as an integer, as in protocol buffers."""
        return self.code.value[0]

    @classmethod
    def of(cls, error):
        """`error` as a ServingError: TensorFlow errors keep their code and their cause; others are INTERNAL."""
        if isinstance(error, cls):
            return error
        number = getattr(error, "error_code", None)
        if number in _BY_NUMBER:
            lines = _AFTER_CAUSE.split(error.message, maxsplit=1)[0].splitlines()
            cause = "\n".join(line.strip() for line in lines if line and not _BEFORE_CAUSE.match(line))
            return cls(_BY_NUMBER[number], cause or error.message or type(error).__name__)
        return cls(Code.INTERNAL, f"{type(error).__name__}: {error}")


def invalid(message):
    """A ServingError with INVALID_ARGUMENT: the client must change the request."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def one_line(text, longest=500):
    """A client's or a model's text for the log: quoted, on one line, control characters escaped, truncated."""
    text = " ".join(text.split())
    return repr(text if len(text) <= longest else f"{text[:longest]}…")
