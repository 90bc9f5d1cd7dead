"""`OffloadingTextEnv`: the environment in words, for agents that read a prompt and write an answer."""

from __future__ import annotations

import os
import string
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import create_shared_memory
from numpy.typing import NDArray

from ..data.batch import Batch
from ..data.scenarios import ScenarioInput
from ..remote.session.opening import open_session
from ..remote.session.recovery import Recovery
from ..remote.transport.connection import DEFAULT_TIMEOUT_SECONDS
from ..render.renderer import Renderer
from .exclusive import exclusive
from .single import SingleEnv

__all__ = ["OffloadingTextEnv", "PromptSpace"]

#: Room for the task and the question, and for each server with its history, characters.
PROMPT_CHARACTERS, SERVER_CHARACTERS = 2048, 512
#: Arguments that choose the words.
WORDS = ("template", "perturbation", "instruction")
#: An action that no episode has: it is carried out as the costliest one.
UNREADABLE = -1


class PromptSpace(spaces.Text):
    """Texts of any characters up to a length; samples are of printable ASCII."""

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Whether this is a text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


@create_shared_memory.register(PromptSpace)
def _refuse_shared_memory(space: PromptSpace, n: int = 1, ctx: Any = None) -> Any:
    """Refuse what Gymnasium would do wrongly without a word: its shared memory has room for ASCII alone."""
    raise CustomSpaceError("prompts do not fit shared memory; pass vector_kwargs={'shared_memory': False}")


class OffloadingTextEnv(SingleEnv[str]):
    """Task offloading where observations are prompts and actions may be answers to them.

    An action is an integer as of `OffloadingEnv`, or a text. The simulator reads texts, as the documentation of prompts
    says; what it cannot read is carried out, and paid for, as the costliest action.

    Parameters
    ----------
    scenario, max_servers, split, seed, address, keys, timeout_seconds, recovery, render_mode
        As of `OffloadingEnv`.
    template : {"en-v1", "en-compact-v1", "zh-release-v1"}
        Words and language of the prompts.
    perturbation : {"standard", "shuffled", "noisy", "units"}
        How they differ from the plain ones.
    instruction : {"direct", "reasoning"}
        Whether they ask for the decision alone, or for reasons before it.

    Attributes
    ----------
    scenario, scenario_hash
        As of `OffloadingEnv`.

    Notes
    -----
    Observations are the prompts, and empty where there is no decision. ``info`` is that of `OffloadingEnv`; after a
    text it also has ``parse_failure`` (``"none"``, ``"empty"``, ``"noDecision"``, ``"ambiguous"`` or
    ``"unfinishedReasoning"``) and ``parsed_action``, the decision that was read, None where none could be.
    """

    def __init__(
        self,
        scenario: ScenarioInput = "paper-v1",
        *,
        template: str = "en-v1",
        perturbation: str = "standard",
        instruction: str = "direct",
        max_servers: int | None = None,
        split: str = "train",
        seed: int | None = None,
        address: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        recovery: Recovery | bool | None = None,
        render_mode: str | None = None,
    ) -> None:
        renderer = Renderer(render_mode)
        arguments = {
            "scenario": scenario,
            "template": template,
            "perturbation": perturbation,
            "instruction": instruction,
            "max_servers": max_servers,
            "split": split,
            "seed": seed,
            "address": address,
            "keys": keys,
            "timeout_seconds": timeout_seconds,
            "recovery": recovery,
            "render_mode": render_mode,
        }
        fields = {"numEnvs": 1, "observation": "text", **{name: arguments[name] for name in WORDS}}
        session = open_session(
            fields, scenario, False, max_servers, split, seed, address, keys, timeout_seconds, recovery
        )
        super().__init__(session, renderer, arguments)
        self.observation_space = PromptSpace(PROMPT_CHARACTERS + SERVER_CHARACTERS * session.max_servers)

    @property
    def system_message(self) -> str | None:
        """What a model is told before any prompt; the same for all of them, and None where the template has none."""
        self._current()
        words = {name: self._arguments[name] for name in WORDS}
        return self._session.prompts({**words, "system": True})[2]

    @exclusive
    def step(self, action: int | str | np.integer[Any] | NDArray[Any]) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out a decision.

        Parameters
        ----------
        action : int or str
            As of `OffloadingEnv.step`, or an answer to the last prompt.

        Returns
        -------
        observation : str
            The next prompt.
        reward, terminated, truncated, info
            As of `OffloadingEnv.step`, and see the notes of the class.

        Raises
        ------
        MecgymError
            As of `OffloadingEnv.step`; ``completionTooLong``. The episode goes on.
        """
        if not isinstance(action, str):
            return super().step(action)
        if not self._is_running:
            raise self._session.without_reset("step")
        num_servers = int(self._current().arrays["numServers"][0])
        found, failure = self._session.read_answer(action, num_servers)
        observation, reward, terminated, truncated, info = super().step(UNREADABLE if found is None else found)
        return observation, reward, terminated, truncated, {**info, "parse_failure": failure, "parsed_action": found}

    def _observation(self, batch: Batch) -> str:
        assert batch.texts is not None
        return batch.texts[0]
