"""Fixtures of the metrics' tests."""

import pytest

from export.metrics.tfgan import import_tfgan


@pytest.fixture(scope="session")
def tfgan():
    """TF-GAN, the oracle that shares no code with ours."""
    return import_tfgan()
