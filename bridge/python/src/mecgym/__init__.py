"""Task offloading in mobile edge computing as Gymnasium environments; importing this registers them."""

from __future__ import annotations

import gymnasium

from .bench.datasets import make_dataset
from .bench.digest import TrajectoryDigest
from .bench.evaluate import evaluate, verify
from .bench.play import Played, play_seeds, random_policy
from .bench.score import score
from .catalogue import list_scenarios, scenario_hash
from .data.look_ahead import LookAhead
from .data.scenarios import ScenarioInfo
from .data.scores import Scores
from .data.snapshots import Snapshots
from .envs.branching import EnvSnapshot
from .envs.lanes import Lanes
from .envs.numeric import OffloadingEnv
from .envs.text import OffloadingTextEnv
from .envs.vector import OffloadingVectorEnv
from .errors import DeadlineExceeded, MecgymError, ServerError, ServerNotFound, SessionLost
from .remote.session.recovery import Recovery
from .remote.transport.server import LocalServer

__all__ = [
    "ENV_ID",
    "TEXT_ENV_ID",
    "DeadlineExceeded",
    "EnvSnapshot",
    "Lanes",
    "LocalServer",
    "LookAhead",
    "MecgymError",
    "OffloadingEnv",
    "OffloadingTextEnv",
    "OffloadingVectorEnv",
    "Played",
    "Recovery",
    "ScenarioInfo",
    "Scores",
    "ServerError",
    "ServerNotFound",
    "SessionLost",
    "Snapshots",
    "TrajectoryDigest",
    "__version__",
    "evaluate",
    "list_scenarios",
    "make_dataset",
    "play_seeds",
    "random_policy",
    "scenario_hash",
    "score",
    "verify",
]

__version__ = "0.1.0"

#: Ids for `gymnasium.make` and `gymnasium.make_vec`.
ENV_ID = "mecgym/Offloading-v0"
TEXT_ENV_ID = "mecgym/OffloadingText-v0"

if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        ENV_ID,
        entry_point="mecgym.env:OffloadingEnv",
        vector_entry_point="mecgym.vector_env:OffloadingVectorEnv",
    )

if TEXT_ENV_ID not in gymnasium.registry:
    gymnasium.register(TEXT_ENV_ID, entry_point="mecgym.text_env:OffloadingTextEnv")
