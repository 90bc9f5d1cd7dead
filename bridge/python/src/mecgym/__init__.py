"""Task offloading in mobile edge computing as Gymnasium environments; importing this registers them."""

from __future__ import annotations

import gymnasium

from .branching import EnvSnapshot
from .digest import TrajectoryDigest
from .env import OffloadingEnv
from .errors import DeadlineExceeded, MecgymError, ServerError, ServerNotFound, SessionLost
from .jobs import evaluate, make_dataset, verify
from .lanes import Lanes
from .look_ahead import LookAhead
from .playing import Played, play_seeds, random_policy
from .recovery import Recovery
from .scenarios import ScenarioInfo, list_scenarios, scenario_hash
from .scoring import Scores, score
from .server import LocalServer
from .snapshots import Snapshots
from .text_env import OffloadingTextEnv
from .vector_env import OffloadingVectorEnv

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
