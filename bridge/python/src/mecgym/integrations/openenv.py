"""The OpenEnv environment: `python -m mecgym.openenv` serves it; needs ``pip install 'mecgym[openenv]'``.

Every message is JSON over a WebSocket, about a thousand steps a second. Use it for agents that
speak OpenEnv, not for speed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI
from openenv.core import EnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_server import Environment, create_app
from openenv.core.env_server.types import Action, EnvironmentMetadata, Observation, State
from pydantic import Field

from .. import __version__
from ..catalogue import scenario_hash
from ..data.scenarios import ScenarioInput
from ..envs.numeric import OffloadingEnv
from ..errors import MecgymError

__all__ = [
    "OffloadingAction",
    "OffloadingClient",
    "OffloadingEnvironment",
    "OffloadingObservation",
    "OffloadingState",
    "main",
    "make_app",
]


class OffloadingAction(Action):  # type: ignore[misc] # the library is not installed when types are checked
    """A decision about the current task."""

    server: int = Field(ge=0, le=2**31 - 1, description="Server to send the task to, from 1; 0 runs it on the device")


class OffloadingObservation(Observation):  # type: ignore[misc]
    """The task to decide about, and the outcome of the last decision; `reward` is minus its cost in slots."""

    task: dict[str, float] = Field(description="The task and the user's device; units are in the names")
    servers: list[dict[str, float]] = Field(description="Servers 1, 2, ... in order; units are in the names")
    actions: list[int] = Field(description="The actions that are available")
    episode_seed: int = Field(description="Seed that plays this episode again")
    decision_index: int = Field(description="Decisions taken so far")
    slot: int = Field(description="Time slot of the task")
    outcome: dict[str, Any] | None = Field(default=None, description="What came of the last decision; None at first")
    episode_stats: dict[str, Any] | None = Field(default=None, description="Counts of tasks, once the episode ended")


class OffloadingState(State):  # type: ignore[misc]
    """The scenario and episode being played."""

    scenario: str = Field(description="Id of the scenario")
    scenario_hash: str = Field(description="Its content hash")
    episode_seed: int | None = Field(default=None, description="Seed of the episode; None before the first reset")


class OffloadingEnvironment(Environment):  # type: ignore[misc]
    """The environment of one OpenEnv session, played as in `OffloadingEnv`.

    Parameters
    ----------
    scenario : str, path or dict
        As in `OffloadingEnv`.
    **options
        Its further arguments, such as ``split`` or ``address``.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, scenario: ScenarioInput = "paper-v1", **options: Any) -> None:
        super().__init__()
        self._env = OffloadingEnv(scenario, **options)
        self._state = OffloadingState(scenario=self._env.scenario["id"], scenario_hash=self._env.scenario_hash)

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> OffloadingObservation:
        """Start the episode of a seed, or the next one of the split."""
        values, info = self._env.reset(seed=seed)
        self._state.episode_seed = info["episode_seed"]
        self._state.episode_id = episode_id or str(info["episode_seed"])
        self._state.step_count = 0
        return self._observation(values, info)

    def step(self, action: OffloadingAction, timeout_s: float | None = None) -> OffloadingObservation:
        """Carry out a decision, within the environment's ``timeout_seconds``."""
        values, reward, _terminated, truncated, info = self._env.step(action.server)
        self._state.step_count += 1
        return self._observation(values, info, reward, truncated)

    @property
    def state(self) -> OffloadingState:
        """The scenario and episode being played."""
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        """Name and description."""
        description = f"Task offloading in mobile edge computing, scenario {self._state.scenario}"
        return EnvironmentMetadata(name="mecgym", description=description, version=__version__)

    def close(self) -> None:
        """End the session on the mecgym server; may be called again."""
        self._env.close()

    def _observation(
        self, values: Any, info: dict[str, Any], reward: float | None = None, done: bool = False
    ) -> OffloadingObservation:
        header, fields = self._env.observation_header, self._env.observation_server_fields
        task = dict(zip(header, values[: len(header)].tolist(), strict=True))
        rows = values[len(header) :][: info["num_servers"] * len(fields)].reshape(-1, len(fields))
        decision = ("episode_seed", "decision_index", "slot")
        outcome = {
            name: value
            for name, value in info.items()
            if name not in (*decision, "num_servers", "action_mask", "episode_stats")
        }
        return OffloadingObservation(
            done=done,
            reward=reward,
            task=task,
            servers=[dict(zip(fields, row, strict=True)) for row in rows.tolist()],
            actions=info["action_mask"].nonzero()[0].tolist(),
            **{name: info[name] for name in decision},
            outcome=outcome or None,
            episode_stats=info.get("episode_stats"),
        )


class OffloadingClient(EnvClient):  # type: ignore[misc]
    """A client with this environment's types: ``OffloadingClient(base_url=…)``, and ``.sync()`` without await."""

    def _step_payload(self, action: OffloadingAction) -> dict[str, Any]:
        payload: dict[str, Any] = action.model_dump(exclude_defaults=True)
        return payload

    def _parse_result(self, payload: dict[str, Any]) -> StepResult:
        reward, done = payload.get("reward"), payload.get("done", False)
        observation = OffloadingObservation(**payload["observation"], reward=reward, done=done)
        return StepResult(observation=observation, reward=reward, done=done, metadata=payload.get("metadata"))

    def _parse_state(self, payload: dict[str, Any]) -> OffloadingState:
        return OffloadingState(**payload)


def make_app(scenario: ScenarioInput = "paper-v1", *, max_sessions: int = 16, **options: Any) -> FastAPI:
    """Return the web application that serves environments, one for each WebSocket.

    Parameters
    ----------
    scenario : str, path or dict
        As in `OffloadingEnv`; checked at once.
    max_sessions : int
        How many clients may play at the same time.
    **options
        Further arguments of `OffloadingEnv`.

    Raises
    ------
    MecgymError
        ``unknownScenario``, ``invalidScenario``, ``serverNotFound``.
    """
    scenario_hash(scenario, address=options.get("address"))

    def factory() -> OffloadingEnvironment:
        return OffloadingEnvironment(scenario, **options)

    app: FastAPI = create_app(
        factory,
        OffloadingAction,
        OffloadingObservation,
        env_name="mecgym",
        max_concurrent_envs=max_sessions,
        state_cls=OffloadingState,
    )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m mecgym.openenv", description=__doc__)
    parser.add_argument("--scenario", default="paper-v1", help="id or .json file of a scenario (default: paper-v1)")
    parser.add_argument(
        "--split", default="train", help="split that resets without a seed take their seeds from (default: train)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 for any free one (default: 8000)")
    parser.add_argument("--max-sessions", type=int, default=16, help="clients at the same time (default: 16)")
    options = parser.parse_args(arguments)
    try:
        app = make_app(options.scenario, max_sessions=options.max_sessions, split=options.split)
    except MecgymError as error:
        print(f"mecgym: {error}", file=sys.stderr)
        return 1
    try:
        _Server(uvicorn.Config(app, host=options.host, port=options.port, log_level="warning")).run()
    except KeyboardInterrupt:
        return 130
    return 0


class _Server(uvicorn.Server):  # type: ignore[misc]
    """Prints its address once it listens, because the system may have picked the port."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            port = self.servers[0].sockets[0].getsockname()[1]
            print(f"mecgym: OpenEnv environment at http://{self.config.host}:{port}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
