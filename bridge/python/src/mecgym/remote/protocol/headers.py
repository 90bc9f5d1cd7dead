"""Headers of requests and replies: one msgpack map each, checked before it is sent and when it arrives."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ...errors import MecgymError, ServerError, SessionLost, malformed
from .results import refuse_field

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
#: Types a header may hold besides maps and lists.
PLAIN_TYPES = (str, int, float, bytes, bytearray, memoryview, type(None))

#: Any value of a header, as deep as a field of a result may be: `list` and `dict` at six levels.
Plain: Any = None | bool | int | float | str
for _level in range(MAX_HEADER_DEPTH - 2):
    Plain = None | bool | int | float | str | list[Plain] | dict[str, Plain]


class _Reply(msgspec.Struct, gc=False, rename={"request_id": "requestId"}, forbid_unknown_fields=True):
    """A reply's header as every server of this version sends it."""

    op: str | None = None
    ok: bool | msgspec.UnsetType = msgspec.UNSET
    v: str | None = None
    result: dict[str, Plain] | None = None
    error: dict[str, Plain] | None = None
    request_id: str | None = None
    session: str | int | None = None
    epoch: str | int | None = None
    group: str | int | None = None
    seq: str | int | None = None


class _LooseReply(msgspec.Struct, gc=False, rename={"request_id": "requestId"}):
    """A reply's header that has fields this version does not know, or refuses a request in another version's words."""

    op: str | None = None
    ok: bool | msgspec.UnsetType = msgspec.UNSET
    v: Any = None
    result: Any = None
    error: Any = None
    request_id: str | None = None
    session: str | int | None = None
    epoch: str | int | None = None
    group: str | int | None = None
    seq: str | int | None = None


_decoder = msgspec.msgpack.Decoder(_Reply)
_any_decoder = msgspec.msgpack.Decoder()


@dataclass(frozen=True)
class ReplyHeader:
    """The header of a reply.

    Attributes
    ----------
    key : Hashable
        Which request it answers: ``(requestId,)`` or ``(session, epoch, group, seq)``; None if the server could not
        read the request's header.
    op : str or None
        The request's operation.
    result : dict or None
        What the request returned; None if it failed.
    error : MecgymError or None
        Why it failed; None if it did not.
    """

    key: Hashable
    op: str | None
    result: dict[str, Any] | None
    error: MecgymError | None


def encode_header(fields: dict[str, Any]) -> bytes:
    """Encode a request's header.

    Raises
    ------
    MecgymError
        ``invalidRequest`` if a value is not plain data, or the header is larger or deeper than servers accept.
    """
    try:
        _check_plain_data(fields, MAX_HEADER_DEPTH)
        data = _encoder.encode(fields)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        expected = "plain data (text, numbers, lists, maps)"
        raise MecgymError("invalidRequest", path="header", expected=expected, got=str(error)) from error
    if len(data) > MAX_HEADER_BYTES:
        expected = f"at most {MAX_HEADER_BYTES} bytes"
        raise MecgymError("invalidRequest", path="header", expected=expected, got=f"{len(data)} bytes")
    return data


def decode_reply(data: bytes) -> ReplyHeader:
    """Decode a reply's header; unknown fields are ignored.

    Raises
    ------
    ServerError
        ``malformedReply`` if it is not what the protocol says.
    """
    if len(data) > MAX_HEADER_BYTES:
        malformed("header", f"at most {MAX_HEADER_BYTES} bytes", f"{len(data)} bytes")
    try:
        reply: _Reply | _LooseReply = _decoder.decode(data)
    except (msgspec.ValidationError, RecursionError):
        reply = _decode_loosely(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise ServerError("malformedReply", path="header", expected="one msgpack map", got=repr(error)) from error

    if reply.ok is False:  # whatever the version: a server of another version says so in this way
        return ReplyHeader(_key_of(reply), reply.op, None, error_of(reply.error))
    version = reply.v
    if version != PROTOCOL_VERSION and (not isinstance(version, str) or version.split(".")[0] != MAJOR_VERSION):
        malformed("v", f"protocol version {PROTOCOL_VERSION}", version)
    if reply.ok is not True:
        malformed("ok", "true or false", None)
    if not isinstance(reply.result, dict):
        malformed("result", "a map", reply.result)
    return ReplyHeader(_key_of(reply), reply.op, reply.result, None)


def error_of(error: Any) -> MecgymError:
    """Return the error that a reply or a job reports.

    Raises
    ------
    ServerError
        ``malformedReply`` if it has no code.
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


def _decode_loosely(data: bytes) -> _LooseReply:
    """Decode a header that the strict decoder refused; say what is wrong with it if this one refuses it too."""
    try:
        fields = _any_decoder.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ServerError("malformedReply", path="header", expected="one msgpack map", got=repr(error)) from error
    if not isinstance(fields, dict):
        malformed("header", "a map", fields)
    _check_received(fields, MAX_HEADER_DEPTH)
    try:
        return msgspec.convert(fields, _LooseReply)
    except msgspec.ValidationError as error:
        refuse_field(fields, error)


def _key_of(reply: _Reply | _LooseReply) -> Hashable:
    if reply.request_id is not None:
        return (reply.request_id,)
    if reply.session is None:
        return None
    key = (reply.session, reply.epoch, reply.group, reply.seq)
    if None in key:
        malformed("session", "session, epoch, group and seq", key)
    return key


def _check_received(value: Any, levels_left: int) -> None:
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
        if isinstance(item, (dict, list)):
            _check_received(item, levels_left - 1)
        elif not isinstance(item, PLAIN_TYPES):
            malformed("header", "no extension types", item)


def _check_plain_data(value: Any, levels_left: int) -> None:
    """Refuse deep nesting, and types that msgspec would encode although the protocol does not have them.

    Raises
    ------
    MecgymError
        ``invalidRequest`` for deep nesting.
    TypeError
        For a type that is not plain data.
    """
    if levels_left == 0:
        raise MecgymError("invalidRequest", path="header", expected=f"at most {MAX_HEADER_DEPTH} levels", got="more")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list, tuple)):
            _check_plain_data(item, levels_left - 1)
        elif not isinstance(item, PLAIN_TYPES):
            raise TypeError(f"a header cannot hold a {type(item).__name__}")


def _plain_of(value: Any) -> Any:
    """Return a value of a derived type, such as NumPy's float64, as a value of Python's own."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return "".join(value)  # `str` would ask a derived class for its own words
    raise TypeError(f"a header cannot hold a {type(value).__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain_of)
