"""`OffloadingTextEnv`: the environment in words, for agents that read a prompt and write an answer."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import create_shared_memory
from numpy.typing import NDArray

from ..backend import SessionOptions, TextKeywords, open_backend, words_of
from ..data.batch import Batch
from ..data.scenarios import ScenarioInput
from ..errors import MecgymError
from ..render.renderer import Renderer
from .exclusive import exclusive
from .single import SingleEnv

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["OffloadingTextEnv", "PromptSpace"]

#: Room for the task and the question, and for each server with its history, in characters.
PROMPT_CHARACTERS, SERVER_CHARACTERS = 2048, 512
#: An action that no episode has: it counts as the costliest one.
UNREADABLE = -1


class PromptSpace(spaces.Text):
    """Texts of any characters up to a length; samples are printable ASCII."""

    def __init__(self, max_length: int, seed: int | np.random.Generator | None = None) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """Whether this is a text that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length


@create_shared_memory.register(PromptSpace)
def _refuse_shared_memory(space: PromptSpace, n: int = 1, ctx: Any = None) -> Any:
    """Refuse what Gymnasium would silently get wrong: its shared memory has room for ASCII only."""
    raise CustomSpaceError("prompts do not fit shared memory; pass vector_kwargs={'shared_memory': False}")


class OffloadingTextEnv(SingleEnv[str]):
    """Task offloading where observations are prompts and actions may be answers to them.

    An action is an integer as in `OffloadingEnv`, or a text. The simulator reads texts as the
    documentation of prompts says; what it cannot read counts as the costliest action.

    Parameters
    ----------
    scenario, max_servers, split, seed, address, keys, timeout_seconds, recovery, render_mode
        As in `OffloadingEnv`.
    template : {"en-v1", "en-compact-v1", "zh-release-v1"}
        Words and language of the prompts.
    perturbation : {"standard", "shuffled", "noisy", "units"}
        How they differ from the standard prompts.
    instruction : {"direct", "reasoning"}
        Whether they ask for the decision only, or for reasons before it.

    Attributes
    ----------
    scenario, scenario_hash
        As in `OffloadingEnv`.

    Notes
    -----
    Observations are prompts; they are empty if there is no decision. ``info`` is that of `OffloadingEnv`; after a
    text it also has ``parse_failure`` (``"none"``, ``"empty"``, ``"noDecision"``, ``"ambiguous"`` or
    ``"unfinishedReasoning"``) and ``parsed_action``, the decision that was read, or None.
    """

    def __init__(
        self,
        scenario: ScenarioInput = "paper-v1",
        *,
        template: str = "en-v1",
        perturbation: str = "standard",
        instruction: str = "direct",
        render_mode: str | None = None,
        **options: Unpack[TextKeywords],
    ) -> None:
        renderer = Renderer(render_mode)
        if "history" in options:
            raise TypeError("OffloadingTextEnv takes no history: its prompts always have it")
        if "backend" in options:
            raise TypeError("OffloadingTextEnv takes no backend: a server words its prompts")
        words = {"template": template, "perturbation": perturbation, "instruction": instruction}
        session = SessionOptions(scenario, **options)
        backend = open_backend(session, {"numEnvs": 1, "observation": "text", **words})
        keywords = {name: value for name, value in session.keywords().items() if name not in ("history", "backend")}
        super().__init__(backend, renderer, {**keywords, **words, "render_mode": render_mode})
        self._words = words
        self.observation_space = PromptSpace(PROMPT_CHARACTERS + SERVER_CHARACTERS * backend.max_servers)

    @property
    def system_message(self) -> str | None:
        """What a model is told before any prompt; None if the template has no such message."""
        self._current()
        return words_of(self._session).prompts({**self._words, "system": True})[2]

    @exclusive
    def step(self, action: int | str | np.integer[Any] | NDArray[Any]) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out a decision.

        Parameters
        ----------
        action : int or str
            As in `OffloadingEnv.step`, or an answer to the last prompt; one that is longer than the server reads
            (1 MiB) has no decision.

        Returns
        -------
        observation : str
            The next prompt.
        reward, terminated, truncated, info
            As in `OffloadingEnv.step`, and see the notes of the class.

        Raises
        ------
        MecgymError
            As in `OffloadingEnv.step`; the episode goes on.
        """
        if not isinstance(action, str):
            return super().step(action)
        if not self._is_running:
            raise self._session.without_reset("step")
        num_servers = int(self._current().arrays["numServers"][0])
        try:
            found, failure = words_of(self._session).read_answer(action, num_servers)
        except MecgymError as error:
            if error.code != "completionTooLong":
                raise
            found, failure = None, "noDecision"  # a server reads no answer that long
        observation, reward, terminated, truncated, info = super().step(UNREADABLE if found is None else found)
        return observation, reward, terminated, truncated, {**info, "parse_failure": failure, "parsed_action": found}

    def _observation(self, batch: Batch) -> str:
        assert batch.texts is not None
        return batch.texts[0]
