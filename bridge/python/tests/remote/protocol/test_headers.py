"""The header codec: what goes out is what the protocol allows, and nothing that comes in breaks it."""

from __future__ import annotations

import pickle
from typing import Any

import msgpack
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
from mecgym.remote.protocol.reply_memo import ReplyMemo
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


def test_errors_can_be_pickled_and_raised_anew() -> None:
    error = DeadlineExceeded("deadlineExceeded", "too late", path="step", expected="a reply", got=None)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), copy.path) == (DeadlineExceeded, "too late", "step")
    anew = type(error)(error)  # as AsyncVectorEnv does it
    assert (str(anew), anew.code, anew.expected) == ("too late", "deadlineExceeded", "a reply")


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


SESSION = "0123456789abcdef" * 2
SEQUENCED = {"op": "step", "session": SESSION, "epoch": 1, "group": 0}


def sequenced(seq: int, result: dict[str, Any], **fields: Any) -> bytes:
    header = {"v": PROTOCOL_VERSION, **SEQUENCED, "seq": seq, "ok": True, "result": result, **fields}
    return msgpack.packb(header)  # type: ignore[no-any-return]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**53 - 1) | st.integers(0, 300),
            st.sampled_from([{}, {"numFinal": 0}, {"numFinal": 1}, {"text": "\xa3seq\x05"}, {"seq": 5}]),
            st.sampled_from([{}, {"group": 1}, {"op": "reset"}]),
        ),
        max_size=12,
    )
)
def test_remembered_replies_are_the_decoded_ones(replies: list[tuple[int, dict[str, Any], dict[str, Any]]]) -> None:
    memo = ReplyMemo()
    for seq, result, fields in replies:
        data = sequenced(seq, result, **fields)
        assert memo.decode(data) == decode_reply(data)


def test_replies_that_differ_in_their_number_alone_are_recognised() -> None:
    memo = ReplyMemo()
    first = memo.decode(sequenced(1, {"numFinal": 0}))
    for seq in (2, 127, 128, 300, 70_000, 2**33):
        reply = memo.decode(sequenced(seq, {"numFinal": 0}))
        assert reply.key == (SESSION, 1, 0, seq)
        assert reply.result is first.result
    for number in range(1000):
        memo.decode(sequenced(1, {"numFinal": number}))
    assert len(memo._known) == 256


@given(st.binary(max_size=80), st.integers(0, 200))
def test_spoilt_replies_are_refused_as_they_are_without_a_memory(noise: bytes, at: int) -> None:
    memo = ReplyMemo()
    good = sequenced(7, {"numFinal": 0})
    memo.decode(good)
    data = good[: at % len(good)] + noise
    try:
        expected: Any = decode_reply(data)
    except ServerError as error:
        expected = error.code
    try:
        found: Any = memo.decode(data)
    except ServerError as error:
        found = error.code
    if not isinstance(expected, str) and expected.error is not None:
        assert (found.key, str(found.error)) == (expected.key, str(expected.error))
    else:
        assert found == expected
