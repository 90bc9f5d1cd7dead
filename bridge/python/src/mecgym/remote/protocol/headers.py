"""The headers of requests and replies: one msgpack map each, checked on the way out and on the way in."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from ...errors import MecgymError, ServerError, SessionLost, malformed

__all__ = [
    "MAX_HEADER_BYTES",
    "MAX_HEADER_DEPTH",
    "PROTOCOL_VERSION",
    "ReplyHeader",
    "decode_reply",
    "encode_header",
    "error_of",
]

PROTOCOL_VERSION = "1.2"
MAJOR_VERSION = PROTOCOL_VERSION.split(".")[0]
MAX_HEADER_BYTES = 64 * 1024
MAX_HEADER_DEPTH = 8
#: Errors that are not about the request itself.
ERROR_KINDS: Mapping[str, type[MecgymError]] = {
    "internalError": ServerError,
    "sequenceConflict": SessionLost,
    "sessionLost": SessionLost,
    "staleEpoch": SessionLost,
    "staleSequence": SessionLost,
    "unknownSession": SessionLost,
}


def encode_header(fields: dict[str, Any]) -> bytes:
    """Encode a request's header.

    Raises
    ------
    MecgymError
        ``invalidRequest`` where a value is not plain data, or the header is larger or deeper than servers accept.
    """
    if _is_deep(fields):
        raise MecgymError("invalidRequest", path="header", expected=f"at most {MAX_HEADER_DEPTH} levels", got="more")
    try:
        data: bytes = msgpack.packb(fields, use_bin_type=True) or b""
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        expected = "plain data (text, numbers, lists, maps)"
        raise MecgymError("invalidRequest", path="header", expected=expected, got=str(error)) from error
    if len(data) > MAX_HEADER_BYTES:
        expected = f"at most {MAX_HEADER_BYTES} bytes"
        raise MecgymError("invalidRequest", path="header", expected=expected, got=f"{len(data)} bytes")
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

    op = fields.get("op")
    if op is not None and not isinstance(op, str):
        malformed("op", "text or nothing", op)
    is_ok = fields.get("ok")
    if is_ok is False:  # whatever the version: a server of another one says so in this way
        return ReplyHeader(_key_of(fields), op, None, error_of(fields.get("error")))
    version = fields.get("v")
    if version != PROTOCOL_VERSION and (not isinstance(version, str) or version.split(".")[0] != MAJOR_VERSION):
        malformed("v", f"protocol version {PROTOCOL_VERSION}", version)
    if is_ok is not True:
        malformed("ok", "true or false", is_ok)
    result = fields.get("result")
    if not isinstance(result, dict):
        malformed("result", "a map", result)
    return ReplyHeader(_key_of(fields), op, result, None)


def _key_of(fields: dict[str, Any]) -> Hashable:
    request_id = fields.get("requestId")
    if request_id is not None:
        if not isinstance(request_id, str):
            malformed("requestId", "text or nothing", request_id)
        return (request_id,)
    if fields.get("session") is None:
        return None
    key = (fields["session"], fields.get("epoch"), fields.get("group"), fields.get("seq"))
    for part in key:
        if not isinstance(part, (str, int)):
            malformed("session", "session, epoch, group and seq", key)
    return key


def error_of(error: Any) -> MecgymError:
    """Give the error that a reply or a job tells of.

    Raises
    ------
    ServerError
        ``malformedReply`` where it is none.
    """
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


def _check_plain(value: Any, levels_left: int = MAX_HEADER_DEPTH) -> None:
    """Refuse keys that are not text, extension types and deep nesting.

    Raises
    ------
    ServerError
        ``malformedReply``.
    """
    if levels_left == 0:
        malformed("header", f"at most {MAX_HEADER_DEPTH} levels", "more")
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                malformed("header", "keys that are text", key)
        value = value.values()
    for item in value:
        kind = type(item)
        if kind is dict or kind is list:
            _check_plain(item, levels_left - 1)
        elif kind is msgpack.Timestamp:
            malformed("header", "no extension types", item)


def _is_deep(value: Any, levels_left: int = MAX_HEADER_DEPTH) -> bool:
    """Whether a map or list has more levels than a header may have."""
    if levels_left == 0:
        return True
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list, tuple)) and _is_deep(item, levels_left - 1):
            return True
    return False


def _refuse_extension(code: int, _data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")
