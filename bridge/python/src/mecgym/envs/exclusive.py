"""`exclusive`: a method of an environment that two threads cannot be in at once; the second one is told so."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

__all__ = ["exclusive"]

Method = TypeVar("Method", bound=Callable[..., Any])


def exclusive(method: Method) -> Method:
    """Refuse a call while another thread is in the same environment, in this method or any other that is exclusive.

    To wait would hide a mistake: which thread's decision came first would hang on chance, and with it the episode.

    Raises
    ------
    MecgymError
        ``inUse``; the environment is as it was, and the other thread's call goes on.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = self.__dict__.get("_session")
        if session is None:  # it could not be made, and is closed all the same
            return method(self, *args, **kwargs)
        if not session.in_use.acquire(blocking=False):
            raise session.occupied(method.__name__)
        try:
            return method(self, *args, **kwargs)
        finally:
            session.in_use.release()

    return cast(Method, call)
