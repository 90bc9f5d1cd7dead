"""Recognises replies that differ from an earlier one in nothing but their number, without decoding them again."""

from __future__ import annotations

from collections import OrderedDict

import msgpack

from .headers import ReplyHeader, decode_reply

__all__ = ["ReplyMemo"]

#: How a header spells the field `seq`.
SEQ = b"\xa3seq"
#: Bytes that follow the type byte of a msgpack integer without a sign.
WIDTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
#: Kinds of replies that are remembered: each group of each session has one for most of its steps.
MAX_REMEMBERED = 256


class ReplyMemo:
    """The last few kinds of replies, by all of their bytes but those of `seq`.

    A session gets one reply for each step, and most of them say the same with another number. Decoding and checking one
    takes longer than a round trip should; comparing it with the last one does not.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, bytes], ReplyHeader] = OrderedDict()

    def decode(self, data: bytes) -> ReplyHeader:
        """Decode a reply's header as `decode_reply` does. The `result` of equal replies is one and the same map.

        Raises
        ------
        ServerError
            ``malformedReply`` where it is not what the protocol says.
        """
        at = data.find(SEQ) + len(SEQ)
        if at < len(SEQ) or at >= len(data):
            return decode_reply(data)
        kind = data[at]
        end = at + 1 + WIDTHS.get(kind, 0)
        if (kind > 0x7F and kind not in WIDTHS) or end > len(data):
            return decode_reply(data)
        seq = kind if kind <= 0x7F else int.from_bytes(data[at + 1 : end], "big")
        name = (data[:at], data[end:])
        known = self._known.get(name)
        if known is None:
            return self._remember(name, seq, decode_reply(data))
        assert isinstance(known.key, tuple)
        return ReplyHeader((*known.key[:3], seq), known.op, known.result, None)

    def _remember(self, name: tuple[bytes, bytes], seq: int, reply: ReplyHeader) -> ReplyHeader:
        # the bytes of `seq` may also stand elsewhere, in a text; then the number after them is not the reply's
        is_sequenced = reply.error is None and isinstance(reply.key, tuple) and len(reply.key) == 4
        if is_sequenced and reply.key[3] == seq and _has_one_seq(name):  # type: ignore[index]
            self._known[name] = reply
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return reply


def _has_one_seq(name: tuple[bytes, bytes]) -> bool:
    """Whether another number in this place gives another `seq`, and the same in all else."""
    before, after = name
    headers = [msgpack.unpackb(before + bytes([number]) + after, raw=False) for number in (3, 4)]
    numbers = [header.pop("seq", None) for header in headers]
    return numbers == [3, 4] and headers[0] == headers[1]
