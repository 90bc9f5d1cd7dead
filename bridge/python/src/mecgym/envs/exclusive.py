"""`exclusive`: marks methods of an environment that only one thread may be in; a second one gets an error."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

__all__ = ["exclusive"]

Method = TypeVar("Method", bound=Callable[..., Any])


def exclusive(method: Method) -> Method:
    """Refuse a call while another thread is in this method, or in any other exclusive one of the same environment.

    Waiting would hide a mistake: chance would decide which thread's decision comes first, and so the episode.

    Raises
    ------
    MecgymError
        ``inUse``; the environment is as it was, and the other thread's call goes on.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = self.__dict__.get("_session")
        if session is None:  # its constructor failed, but it is closed all the same
            return method(self, *args, **kwargs)
        if not session.in_use.acquire(blocking=False):
            raise session.occupied(method.__name__)
        try:
            return method(self, *args, **kwargs)
        finally:
            session.in_use.release()

    return cast(Method, call)
