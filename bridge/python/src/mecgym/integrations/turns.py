"""`OffloadingTurns`: all decisions of a time slot as one conversation, for TRL's ``environment_factory``."""

# the docstrings of tools have the form that Transformers reads
# ruff: noqa: D406, D407

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..backend import words_of
from ..envs.numeric import OffloadingEnv
from ..errors import MecgymError, needs_reset

__all__ = ["OffloadingTurns", "environment_factory"]

#: An action that no episode has: it counts as the costliest available one.
NO_SUCH_ACTION = 2**31 - 1
USE_TOOLS = "Do not write the decision: call offload(server=k), or run_local()."
SLOT_IS_OVER = "All tasks of this slot are decided. Answer with one word to end."


class OffloadingTurns:
    """The tasks of one slot, decided one call after another; each sees the queues that earlier decisions left.

    TRL offers every public method but `reset` and `get_reward` to the model as a tool.

    Parameters
    ----------
    template : str
        Wording of the decisions, as in ``mecgym prompt``.
    **options
        Arguments of `OffloadingEnv`, such as ``scenario`` and ``address``.
    """

    def __init__(self, *, template: str = "en-v1", **options: Any) -> None:
        # a server words the prompts
        self._env = OffloadingEnv(**{"backend": "server", **options})
        self._template = template
        self._slot = -1
        self._info: dict[str, Any] = {}
        self._is_over = True
        self._num_decided = 0
        self._reward_slots = 0.0

    def reset(self, episodeSeed: int | None = None, slot: int = 20, **_columns: Any) -> str:  # noqa: N803
        """Play the episode of a seed up to a slot with tasks, and return its first decision in words.

        The one-step oracle decides the slots before it. It is the first slot with tasks from `slot` on; columns of the
        data with these names say which. The text goes to the end of the prompt.

        Raises
        ------
        MecgymError
            ``invalidSeed`` without a seed: the members of one group would decide about different tasks.
        """
        if episodeSeed is None:
            expected = "the column episodeSeed of the data, so that all members of a group decide about the same tasks"
            raise MecgymError("invalidSeed", path="episodeSeed", expected=expected)
        _observation, self._info = self._env.reset(seed=episodeSeed)
        while self._info["slot"] < slot:
            action = int(self._env.look_ahead().cost_slots.argmin())
            _observation, _reward, _terminated, truncated, self._info = self._env.step(action)
            if truncated:
                raise MecgymError("invalidOption", path="slot", expected="a slot before the episode's end", got=slot)
        self._slot, self._is_over = self._info["slot"], False
        self._num_decided, self._reward_slots = 0, 0.0
        return self._words()

    def offload(self, server: int) -> str:
        """Send the current task to a server.

        Args:
            server: Number of the server, from 1.

        Returns:
            The next task of the slot, or that all are decided.
        """
        return self._decide(int(server) if int(server) > 0 else NO_SUCH_ACTION)

    def run_local(self) -> str:
        """Run the current task on the user's own device.

        Returns:
            The next task of the slot, or that all are decided.
        """
        return self._decide(0)

    def get_reward(self) -> float:
        """Return minus the mean cost of the slot's tasks, slots; undecided ones cost as the costliest action."""
        if self._slot < 0:
            raise needs_reset("get_reward")
        while not self._is_over:
            self._step(NO_SUCH_ACTION)
        return self._reward_slots / self._num_decided

    def _decide(self, action: int) -> str:
        if self._is_over:
            return SLOT_IS_OVER
        self._step(min(action, NO_SUCH_ACTION))
        return SLOT_IS_OVER if self._is_over else self._words()

    def _step(self, action: int) -> None:
        _observation, reward, _terminated, truncated, self._info = self._env.step(action)
        self._num_decided += 1
        self._reward_slots += reward
        self._is_over = truncated or self._info["slot"] != self._slot

    def _words(self) -> str:
        _lanes, (text,), _system = words_of(self._env._session).prompts({"template": self._template})
        return f"{text}\n{USE_TOOLS}"


def environment_factory(**options: Any) -> Callable[[], OffloadingTurns]:
    """Return the function without arguments that ``GRPOTrainer(environment_factory=…)`` takes.

    Parameters
    ----------
    **options
        Arguments of `OffloadingTurns`.
    """
    return partial(OffloadingTurns, **options)
