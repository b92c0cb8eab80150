"""What many tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from flows.environment import prepare_environment

prepare_environment()
os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's own test server: real, temporary, on loopback."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
