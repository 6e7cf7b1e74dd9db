"""Errors as the wire knows them: a gRPC status code and a message, and the HTTP status that goes with the code."""

import re

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
#: What ends the cause in a TensorFlow error's message: the node where it arose, and lines of Python.
_AFTER_CAUSE = re.compile(r"\n\t \[\[|\nTraceback \(most recent call last\)|\n\nOriginal stack trace")
#: Lines before the cause: what was going on, and where in some program the graph was built.
_BEFORE_CAUSE = re.compile(
    r"Graph execution error:|Detected at node |Node: |<stack traces unavailable>|  File |    |\d+ root error\(s\) found"
)


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
        """The same as `error`: TensorFlow's own codes and the cause that it tells; anything else is INTERNAL."""
        if isinstance(error, cls):
            return error
        number = getattr(error, "error_code", None)
        if number in _BY_NUMBER:
            lines = _AFTER_CAUSE.split(error.message, maxsplit=1)[0].splitlines()
            cause = "\n".join(line.strip() for line in lines if line and not _BEFORE_CAUSE.match(line))
            return cls(_BY_NUMBER[number], cause or error.message or type(error).__name__)
        return cls(Code.INTERNAL, f"{type(error).__name__}: {error}")


def invalid(message):
    """The error for what a client must change before it asks again."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def one_line(text, longest=500):
    """A client's or a model's text for the log: in quotes, without line breaks and control characters, cut."""
    text = " ".join(text.split())
    return repr(text if len(text) <= longest else f"{text[:longest]}…")
