"""Jobs: a server's long work; the client asks until it is done, and then fetches the result page by page."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ...errors import MecgymError, SessionLost, malformed
from ..protocol.headers import error_of
from ..protocol.layout import Body
from ..protocol.results import JobStarted, JobStatus, read_result
from ..transport.connection import Connection
from ..transport.endpoints import MAX_ATTEMPTS, Endpoint, connect

__all__ = ["run_job"]

#: Makes a context for one attempt; what it yields is told how much is done, and of how much.
Progress = Callable[[], AbstractContextManager[Callable[[int, int], None]]]

#: Time between two requests for a job's progress, in seconds: short at first, for short jobs.
FIRST_POLL_SECONDS = 0.02
POLL_SECONDS = 0.5


def run_job(
    op: str,
    fields: Mapping[str, Any],
    body: bytes | None,
    progress: Progress,
    address: str | None,
    keys: str | os.PathLike[str] | None,
) -> bytes:
    """Run a job to its end; start again if this process's own server is lost meanwhile."""
    plain = {name: value for name, value in fields.items() if value is not None}
    for _attempt in range(MAX_ATTEMPTS - 1):
        endpoint = connect(address, keys)
        try:
            return _run_once(endpoint, op, plain, body, progress)
        except SessionLost as loss:
            if not endpoint.is_owned or loss.code == "forked":
                raise
    return _run_once(connect(address, keys), op, plain, body, progress)


def _run_once(endpoint: Endpoint, op: str, fields: Mapping[str, Any], body: bytes | None, progress: Progress) -> bytes:
    with endpoint.borrow() as connection:
        return _run_on(connection, op, fields, body, progress)


def _run_on(
    connection: Connection, op: str, fields: Mapping[str, Any], body: bytes | None, progress: Progress
) -> bytes:
    started, _body = connection.exchange(op, fields, body)
    job = read_result(started, JobStarted, op).job
    try:
        with progress() as update:
            wait_seconds = FIRST_POLL_SECONDS
            while True:
                status = read_result(connection.request("job-status", {"job": job}), JobStatus, "job-status")
                update(status.done, status.total)
                if status.state != "running":
                    break
                time.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, POLL_SECONDS)
        if status.state == "failed":
            raise error_of(status.error)
        if status.state != "done":
            raise MecgymError("jobCancelled", path=op, expected="a job that is done", got=status.state)
        return _fetch(connection, job, status)
    finally:
        # this frees a finished job and its result, and stops a running job between two episodes
        with contextlib.suppress(MecgymError):
            connection.request("cancel", {"job": job}, timeout_seconds=5.0)


def _fetch(connection: Connection, job: str, status: JobStatus) -> bytes:
    pages: list[Body] = []
    for page in range(status.pages):
        _result, part = connection.exchange("job-result", {"job": job, "page": page})
        pages.append(b"" if part is None else part)
    data = b"".join(pages)[: status.bytes]
    digest = hashlib.sha256(data).hexdigest()
    if digest != status.sha256:
        malformed("job-result/sha256", str(status.sha256), digest)
    return data
