"""Requests in flight, and counts of the messages of a server."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ..protocol.headers import ReplyHeader
from ..protocol.layout import Body

__all__ = ["Pending", "Traffic"]


@dataclass
class Pending:
    """A request that was sent, and its reply once it arrives.

    Attributes
    ----------
    op : str
        Operation.
    key : Hashable
        What identifies its reply.
    frames : list of bytes
        The message, kept so that it can be sent again.
    stream : Hashable
        The session it belongs to: its requests are answered roughly in the order they were sent.
    reply : ReplyHeader or None
        Header of the reply; None until it arrives.
    body : bytes or memoryview or None
        Body of the reply, if it has one.
    """

    op: str
    key: Hashable
    frames: list[bytes]
    stream: Hashable = None
    reply: ReplyHeader | None = None
    body: Body | None = None
    num_sent: int = 0
    num_unread: int = 0
    num_overtaken: int = 0
    last_sent: float = 0.0
    resend_after: float = 0.0


@dataclass
class Traffic:
    """Counts over all connections to a server.

    Attributes
    ----------
    num_dropped : int
        Messages that answered no request: duplicates, and what could not be read.
    num_resent : int
        Requests sent again, counting each repetition.
    """

    num_dropped: int = 0
    num_resent: int = 0
