"""The headers of requests and replies: one msgpack map each, checked on the way out and on the way in."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from .errors import MecgymError, ServerError, SessionLost, malformed

__all__ = [
    "MAX_HEADER_BYTES",
    "MAX_HEADER_DEPTH",
    "NEXT_EPISODE",
    "PROTOCOL_VERSION",
    "ReplyHeader",
    "decode_reply",
    "encode_header",
]

PROTOCOL_VERSION = "1.0"
MAX_HEADER_BYTES = 64 * 1024
MAX_HEADER_DEPTH = 8
#: The seed that stands for "the next episode of the split" in the body of a reset.
NEXT_EPISODE = 2**64 - 1
#: Errors that are not about the request itself.
ERROR_KINDS: Mapping[str, type[MecgymError]] = {
    "internalError": ServerError,
    "sequenceConflict": SessionLost,
    "staleEpoch": SessionLost,
    "staleSequence": SessionLost,
    "unknownSession": SessionLost,
}
CONTAINERS = (Mapping, list, tuple)


def encode_header(fields: Mapping[str, Any]) -> bytes:
    """Encode a request's header.

    Raises
    ------
    MecgymError
        ``invalidRequest`` where a value is not plain data, or the header is larger or deeper than servers accept.
    """
    if sum(1 for _ in _levels(fields)) > MAX_HEADER_DEPTH:
        raise MecgymError("invalidRequest", path="header", expected=f"at most {MAX_HEADER_DEPTH} levels", got="more")
    try:
        data = msgpack.packb(fields, use_bin_type=True)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MecgymError(
            "invalidRequest", path="header", expected="plain data (text, numbers, lists, maps)", got=str(error)
        ) from error
    assert isinstance(data, bytes)
    if len(data) > MAX_HEADER_BYTES:
        raise MecgymError(
            "invalidRequest", path="header", expected=f"at most {MAX_HEADER_BYTES} bytes", got=f"{len(data)} bytes"
        )
    return data


@dataclass(frozen=True)
class ReplyHeader:
    """The header of a reply.

    Attributes
    ----------
    key : Hashable
        Which request it answers: ``(requestId,)`` or ``(session, epoch, group, seq)``; None where the server could
        not read the request's header.
    op : str or None
        The request's operation.
    result : dict or None
        What came of it; None where the request failed.
    error : MecgymError or None
        Why it failed; None where it did not.
    """

    key: Hashable
    op: str | None
    result: dict[str, Any] | None
    error: MecgymError | None


def decode_reply(data: bytes) -> ReplyHeader:
    """Decode a reply's header; fields that are not known are ignored.

    Raises
    ------
    ServerError
        ``malformedReply`` where it is not what the protocol says.
    """
    if len(data) > MAX_HEADER_BYTES:
        malformed("header", f"at most {MAX_HEADER_BYTES} bytes", f"{len(data)} bytes")
    try:
        fields = msgpack.unpackb(data, raw=False, strict_map_key=True, ext_hook=_refuse_extension)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise ServerError("malformedReply", path="header", expected="one msgpack map", got=repr(error)) from error
    if not isinstance(fields, dict):
        malformed("header", "a map", fields)
    _check_plain(fields)

    version = fields.get("v")
    if not isinstance(version, str) or version.split(".")[0] != PROTOCOL_VERSION.split(".")[0]:
        malformed("v", f"protocol version {PROTOCOL_VERSION}", version)
    op = fields.get("op")
    if op is not None and not isinstance(op, str):
        malformed("op", "text or nothing", op)
    is_ok = fields.get("ok")
    if is_ok is True:
        result = fields.get("result")
        if not isinstance(result, dict):
            malformed("result", "a map", result)
        return ReplyHeader(_key_of(fields), op, result, None)
    if is_ok is False:
        return ReplyHeader(_key_of(fields), op, None, _error_of(fields.get("error")))
    malformed("ok", "true or false", is_ok)


def _key_of(fields: dict[str, Any]) -> Hashable:
    request_id = fields.get("requestId")
    if request_id is not None:
        if not isinstance(request_id, str):
            malformed("requestId", "text or nothing", request_id)
        return (request_id,)
    if fields.get("session") is None:
        return None
    key = tuple(fields.get(name) for name in ("session", "epoch", "group", "seq"))
    if not all(isinstance(part, (str, int)) for part in key):
        malformed("session", "session, epoch, group and seq", key)
    return key


def _error_of(error: Any) -> MecgymError:
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        malformed("error", "a map with a code", error)
    code, message, path = error["code"], error.get("message"), error.get("path")
    kind = ERROR_KINDS.get(code, MecgymError)
    return kind(
        code,
        message if isinstance(message, str) else "",
        path=path if isinstance(path, str) else None,
        expected=error.get("expected"),
        got=error.get("got"),
    )


def _levels(value: Any) -> Iterator[list[Any]]:
    """Give the maps and lists of a value, level by level; a value without end is cut off where it is too deep."""
    level = [value] if isinstance(value, CONTAINERS) else []
    for _ in range(MAX_HEADER_DEPTH + 1):
        if not level:
            return
        yield level
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, Mapping) else item)
            if isinstance(child, CONTAINERS)
        ]


def _check_plain(fields: dict[Any, Any]) -> None:
    """Refuse keys that are not text, extension types and deep nesting in a reply."""
    for depth, level in enumerate(_levels(fields)):
        if depth == MAX_HEADER_DEPTH:
            malformed("header", f"at most {MAX_HEADER_DEPTH} levels", "more")
        for item in level:
            if isinstance(item, dict) and not all(isinstance(key, str) for key in item):
                malformed("header", "keys that are text", list(item))
            for value in item.values() if isinstance(item, dict) else item:
                if isinstance(value, msgpack.Timestamp):
                    malformed("header", "no extension types", value)


def _refuse_extension(code: int, _data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")
