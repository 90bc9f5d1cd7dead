"""Environments of these tests are played by servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mecgym.backend import BACKEND_VARIABLE


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BACKEND_VARIABLE, "server")
        yield
