"""Compressed bodies of REST requests: the size limit of plain bodies also holds for the decompressed ones."""

import gzip
import tracemalloc

import pytest

from export.serving import rest
from export.serving.errors import ServingError

MOST = 1 << 16


def test_a_body_of_just_the_limit_is_read_and_one_byte_more_is_refused():
    assert rest._decompressed(gzip.compress(bytes(MOST)), "gzip", MOST) == bytes(MOST)
    with pytest.raises(ServingError, match=f"larger than {MOST} bytes") as caught:
        rest._decompressed(gzip.compress(bytes(MOST + 1)), "gzip", MOST)
    assert caught.value.http_status == 413


def test_a_small_body_that_would_become_a_large_one_takes_little_memory():
    body = gzip.compress(bytes(1 << 28))
    tracemalloc.start()
    try:
        with pytest.raises(ServingError):
            rest._decompressed(body, "gzip", MOST)
        assert tracemalloc.get_traced_memory()[1] < 16 * MOST
    finally:
        tracemalloc.stop()
