"""Headers: what is sent is what the protocol allows, and nothing that arrives breaks the decoder."""

from __future__ import annotations

import datetime
import decimal
import pickle
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mecgym import DeadlineExceeded, MecgymError, ServerError, SessionLost
from mecgym.remote.protocol.headers import (
    MAX_HEADER_BYTES,
    MAX_HEADER_DEPTH,
    PROTOCOL_VERSION,
    decode_reply,
    encode_header,
)
from mecgym.remote.protocol.results import Opened, read_result
from mecgym.remote.transport.resend import ResendTimer

IDS = {"session": "s", "epoch": 1, "group": 0, "seq": 3}

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def reply(**fields: Any) -> bytes:
    data: bytes = msgpack.packb({"v": "1.0", "op": "step", **IDS, "ok": True, "result": {}, **fields})
    return data


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(st.dictionaries(st.text(), plain, max_size=6))
def test_headers_survive_the_wire(fields: dict[str, Any]) -> None:
    try:
        data = encode_header(fields)
    except MecgymError as error:
        assert error.code == "invalidRequest"
    else:
        assert msgpack.unpackb(data) == fields
        assert len(data) <= MAX_HEADER_BYTES


def test_headers_are_at_most_8_levels_deep() -> None:
    assert encode_header({"a": nested(MAX_HEADER_DEPTH - 1)})
    with pytest.raises(MecgymError, match="at most 8 levels"):
        encode_header({"a": nested(MAX_HEADER_DEPTH)})
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(MecgymError, match="at most 8 levels"):
        encode_header({"a": endless})


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, "x" * MAX_HEADER_BYTES, "\ud800"])
def test_what_no_header_can_hold_is_refused(value: Any) -> None:
    with pytest.raises(MecgymError) as caught:
        encode_header({"a": value})
    assert caught.value.code == "invalidRequest"


def test_replies_are_told_by_their_ids() -> None:
    header = decode_reply(reply(result={"numFinal": 0}, unknown=[1]))
    assert header.key == ("s", 1, 0, 3)
    assert header.result == {"numFinal": 0}
    assert header.error is None
    by_request = msgpack.packb({"v": "1.3", "op": "hello", "requestId": "ab", "ok": True, "result": {}})
    assert decode_reply(by_request).key == ("ab",)


def test_errors_keep_their_five_parts() -> None:
    error = {"code": "invalidAction", "path": "actions/0", "message": "m", "expected": "0 to 6", "got": 9}
    found = decode_reply(reply(ok=False, error=error)).error
    assert found is not None
    parts = (found.code, found.path, str(found), found.expected, found.got)
    assert parts == ("invalidAction", "actions/0", "m", "0 to 6", 9)


@pytest.mark.parametrize(
    ("code", "kind"), [("unknownSession", SessionLost), ("staleEpoch", SessionLost), ("internalError", ServerError)]
)
def test_some_errors_are_of_a_kind(code: str, kind: type[MecgymError]) -> None:
    assert type(decode_reply(reply(ok=False, error={"code": code})).error) is kind


def test_a_server_of_another_version_is_understood_as_far_as_it_says_so() -> None:
    error = {"code": "versionMismatch", "expected": "2.0", "got": "1.0"}
    found = decode_reply(reply(v="2.0", ok=False, error=error)).error
    assert found is not None
    assert (found.code, found.expected, found.got) == ("versionMismatch", "2.0", "1.0")
    with pytest.raises(ServerError):
        decode_reply(reply(v="2.0"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        b"\xc1",
        b"\x01",
        b"\x80\x80",
        msgpack.packb([1]),
        reply(ok=1),
        reply(result=None),
        reply(v=None),
        reply(op=7),
        reply(requestId=7),
        reply(seq=[1]),
        reply(ok=False, error=None),
        reply(ok=False, error={"code": 7}),
        reply(x=nested(MAX_HEADER_DEPTH)),
        reply(x=nested(600)),
        reply(x=msgpack.ExtType(4, b"a")),
        reply(x=[msgpack.Timestamp(1, 1)]),
        reply(x={b"a": 1}),
        reply(x={1: 1}),
        reply(x="a" * MAX_HEADER_BYTES),
        b"\x81\xa1v\xa1\xff",
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_malformed_replies_are_refused(data: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        decode_reply(data)
    assert caught.value.code == "malformedReply"


def _decode_or_refuse(data: bytes) -> None:
    try:
        decode_reply(data)
    except ServerError as error:
        assert error.code == "malformedReply"
        assert pickle.loads(pickle.dumps(error)).code == error.code  # noqa: S301


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_noise_never_breaks_the_decoder(data: bytes) -> None:
    _decode_or_refuse(data)


@settings(max_examples=200)
@given(st.integers(0, 200), st.integers(0, 255))
def test_a_flipped_byte_never_breaks_the_decoder(position: int, value: int) -> None:
    data = bytearray(reply(result={"numFinal": 2, "finalLayout": [{"name": "a", "shape": [1], "offset": 0}]}))
    data[position % len(data)] = value
    _decode_or_refuse(bytes(data))


names = st.sampled_from(["v", "op", "ok", "result", "error", "requestId", "session", "epoch", "group", "seq", "code"])


@settings(max_examples=100)
@given(st.dictionaries(names, plain | st.dictionaries(names, plain, max_size=3), max_size=9))
def test_wrong_types_never_break_the_decoder(fields: dict[str, Any]) -> None:
    _decode_or_refuse(msgpack.packb({"v": "1.0", "ok": True, **fields}))


def test_errors_can_be_pickled_and_raised_again() -> None:
    error = DeadlineExceeded("deadlineExceeded", "too late", path="step", expected="a reply", got=None)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), copy.path) == (DeadlineExceeded, "too late", "step")
    raised = type(error)(error)  # as AsyncVectorEnv does it
    assert (str(raised), raised.code, raised.expected) == ("too late", "deadlineExceeded", "a reply")


def test_messages_say_where_what_and_why() -> None:
    error = MecgymError("invalidScenario", path="/numServers", expected="an integer", got=float("nan"))
    assert str(error) == "invalidScenario at /numServers: expected an integer, got nan"
    assert len(str(MecgymError("x", got="y" * 1000))) < 250


def test_the_resend_timer_follows_the_round_trips() -> None:
    timer = ResendTimer()
    assert timer.first() == 1.0
    timer.measure(0.001)
    assert timer.first() == 0.02
    for _ in range(50):
        timer.measure(2.0)
    assert 2.0 < timer.first() <= 10.0
    assert timer.next(0.2) == 0.4
    assert timer.next(9.0) == 10.0


@given(st.dictionaries(st.text(), plain, max_size=6))
def test_headers_are_the_bytes_that_another_encoder_makes(fields: dict[str, Any]) -> None:
    try:
        data = encode_header(fields)
    except MecgymError:
        return
    assert data == msgpack.packb(fields, use_bin_type=True)


class Text(str):
    __slots__ = ()


class Number(int):
    pass


def test_derived_numbers_and_texts_are_plain() -> None:
    fields = {"a": np.float64(1.5), "b": Text("x"), "c": Number(7), "d": True, "e": [np.float64(2)]}
    assert encode_header(fields) == msgpack.packb({"a": 1.5, "b": "x", "c": 7, "d": True, "e": [2.0]})


@pytest.mark.parametrize("value", [datetime.datetime(2026, 1, 1), np.int64(3), decimal.Decimal(1), {"b": {1}}])
def test_types_that_the_protocol_does_not_have_are_refused(value: Any) -> None:
    with pytest.raises(MecgymError) as caught:
        encode_header({"a": value})
    assert (caught.value.code, caught.value.path) == ("invalidRequest", "header")


SESSION = "0123456789abcdef" * 2


def sequenced(seq: int, result: dict[str, Any], **fields: Any) -> bytes:
    ids = {"op": "step", "session": SESSION, "epoch": 1, "group": 0}
    header = {"v": PROTOCOL_VERSION, **ids, "seq": seq, "ok": True, "result": result, **fields}
    return msgpack.packb(header)  # type: ignore[no-any-return]


deep = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


@given(st.integers(0, 2**53 - 1), st.dictionaries(st.text(), deep, max_size=4), st.booleans())
def test_replies_say_what_was_sent(seq: int, result: dict[str, Any], is_newer: bool) -> None:
    """Known and unknown fields, and values for either decoder, are read alike."""
    data = sequenced(seq, result, **({"since": [1, {"a": None}]} if is_newer else {}))
    if len(data) <= MAX_HEADER_BYTES and depth_of(result) < MAX_HEADER_DEPTH:
        reply = decode_reply(data)
        assert (reply.key, reply.op, reply.result) == ((SESSION, 1, 0, seq), "step", result)


def depth_of(value: Any) -> int:
    if not isinstance(value, (dict, list)):
        return 0
    return 1 + max(map(depth_of, value.values() if isinstance(value, dict) else value), default=0)


@pytest.mark.parametrize("levels", range(5, 10))
def test_replies_are_at_most_8_levels_deep(levels: int) -> None:
    # the header and the result are two of them
    data = sequenced(1, {"a": nested(levels)})
    if levels + 2 <= MAX_HEADER_DEPTH:
        assert decode_reply(data).result == {"a": nested(levels)}
    else:
        with pytest.raises(ServerError, match="at most 8 levels"):
            decode_reply(data)


@pytest.mark.parametrize(
    ("fields", "path", "expected", "got"),
    [
        ({"op": 7}, "op", "text or nothing", 7),
        ({"requestId": 7}, "requestId", "text or nothing", 7),
        ({"ok": 1}, "ok", "true or false", 1),
        ({"v": "9.0"}, "v", f"protocol version {PROTOCOL_VERSION}", "9.0"),
        ({"v": None}, "v", f"protocol version {PROTOCOL_VERSION}", None),
        ({"result": None}, "result", "a map", None),
        ({"result": [1]}, "result", "a map", [1]),
        ({"seq": [1]}, "seq", "an integer or text or nothing", [1]),
        ({"epoch": None}, "session", "session, epoch, group and seq", ("s", None, 0, 3)),
        ({"ok": False, "error": {"code": 7}}, "error", "a map with a code", {"code": 7}),
        ({"result": {"a": {1: 1}}}, "header", "keys that are text", 1),
    ],
)
def test_a_malformed_reply_says_where_and_what(fields: dict[str, Any], path: str, expected: str, got: Any) -> None:
    with pytest.raises(ServerError) as caught:
        decode_reply(reply(**fields))
    error = caught.value
    assert (error.code, error.path, error.expected, error.got) == ("malformedReply", path, expected, got)


OPENED: dict[str, Any] = {
    "session": SESSION,
    "epoch": 1,
    "numEnvs": 2,
    "groups": 1,
    "maxServers": 3,
    "maxUsers": 6,
    "observationSize": 9,
    "historySlots": 0,
    "observationHeader": ["sizeMbit"],
    "observationServerFields": ["rateMbps"],
    "episodeStatsFields": ["numDecisions"],
    "scenarios": [{"id": "a", "hash": "b", "scenario": {}}],
    "layouts": {"resetRequest": [], "stepRequest": [], "stepReply": []},
}


def test_results_are_read_by_field() -> None:
    opened = read_result({**OPENED, "since": 1}, Opened, "open")
    assert (opened.num_envs, opened.observation_header, opened.layouts.step_reply) == (2, ["sizeMbit"], [])


@pytest.mark.parametrize(
    ("fields", "path", "expected", "got"),
    [
        ({"maxServers": "3"}, "open/maxServers", "an integer", "3"),
        ({"maxServers": True}, "open/maxServers", "an integer", True),
        ({"observationHeader": ["a", 7]}, "open/observationHeader/1", "text", 7),
        ({"layouts": None}, "open/layouts", "a map", None),
        ({"layouts": {"stepReply": []}}, "open/layouts/resetRequest", "a field of this name", None),
    ],
)
def test_a_malformed_result_says_where_and_what(fields: dict[str, Any], path: str, expected: str, got: Any) -> None:
    with pytest.raises(ServerError) as caught:
        read_result({**OPENED, **fields}, Opened, "open")
    error = caught.value
    assert (error.code, error.path, error.expected, error.got) == ("malformedReply", path, expected, got)
