"""Environments of these tests are played by servers."""

from __future__ import annotations

import pytest

from mecgym.backend import BACKEND_VARIABLE


@pytest.fixture(autouse=True)
def _server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BACKEND_VARIABLE, "server")
