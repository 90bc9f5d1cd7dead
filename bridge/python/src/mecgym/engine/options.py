"""What a session in this process is opened with: checked as a server checks it, with nothing left open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import MecgymError
from .refusals import refusal
from .scenario import content_hash, max_servers_of, max_users_of, resolve_scenario
from .schema import find_problem, plain_data

__all__ = ["EngineOptions", "check_fields", "resolve_options"]

#: Codes of the module.
AUTORESETS = {"disabled": 0, "next-step": 1, "same-step": 2}
SPLITS = {"train": 0, "validation": 1, "test": 2}

#: Fields that every request has, whose values do not matter here.
REQUEST_IDS: dict[str, dict[str, Any]] = {
    "open": {"v": "1.0", "op": "open", "requestId": "0" * 32},
    "lookahead": {"v": "1.0", "op": "lookahead", "session": "0" * 32, "epoch": 1, "group": 0, "seq": 1, "ack": 0},
}
DEFINITIONS = {"open": "Open", "lookahead": "LookAhead"}


@dataclass(frozen=True)
class EngineOptions:
    """The options of a session.

    Attributes
    ----------
    scenarios : tuple of dict
        Complete scenarios.
    hashes : tuple of str
        Their content hashes.
    num_envs, num_groups : int
        Lanes of all groups, and groups.
    lane_scenario : tuple of int or None
        Which scenario each lane plays; the first if None.
    max_servers : int
        Servers that an observation has room for; 0 for the most that a scenario has.
    history : bool
        Whether observations end with the workload history.
    facts : bool
        Whether observations end with the facts.
    autoreset, split : str
        As in the protocol.
    seed : int
        Seed of the function that picks episodes.
    """

    scenarios: tuple[dict[str, Any], ...]
    hashes: tuple[str, ...]
    num_envs: int
    num_groups: int
    lane_scenario: tuple[int, ...] | None
    max_servers: int
    history: bool
    facts: bool
    autoreset: str
    split: str
    seed: int

    @property
    def lanes_per_group(self) -> int:
        """Lanes of one group."""
        return self.num_envs // self.num_groups

    @property
    def max_users(self) -> int:
        """Most users of an episode."""
        return max(map(max_users_of, self.scenarios))

    @property
    def history_slots(self) -> int:
        """Slots of history that observations show; 0 if they show none."""
        return max(one["historySlots"] for one in self.scenarios) if self.history else 0

    @property
    def needed_servers(self) -> int:
        """Most servers of an episode."""
        return max(map(max_servers_of, self.scenarios))

    def scenario_of(self, lane: int) -> int:
        """Return the index of the scenario that a lane plays."""
        return 0 if self.lane_scenario is None else self.lane_scenario[lane]


def check_fields(op: str, fields: Mapping[str, Any]) -> None:
    """Check the fields of a request against the protocol's schema.

    Raises
    ------
    MecgymError
        ``invalidRequest``, as a server would refuse them.
    """
    problem = find_problem("request", {**REQUEST_IDS[op], **plain_data(fields, op)}, DEFINITIONS[op])
    if problem is not None:
        raise refusal("invalidRequest", problem.path, problem.expected, problem.got)


def resolve_options(fields: Mapping[str, Any]) -> EngineOptions:
    """Check the fields of the protocol's ``open``.

    Raises
    ------
    MecgymError
        ``invalidRequest``, ``invalidOption``, ``unknownScenario``, ``invalidScenario``.
    """
    if not _is_right(fields):
        # facts are not part of the protocol
        check_fields("open", {name: value for name, value in fields.items() if name != "facts"})
    num_envs, groups = fields["numEnvs"], fields.get("groups", 1)
    lane_scenario = fields.get("laneScenario")
    if num_envs % groups != 0:
        expected = f"a divisor of numEnvs {num_envs}"
        raise refusal("invalidRequest", "/groups", expected, groups)
    if lane_scenario is not None and len(lane_scenario) != num_envs:
        expected = f"{num_envs} indices, one for each lane"
        raise refusal("invalidRequest", "/laneScenario", expected, len(lane_scenario))
    scenarios = _resolve_scenarios(fields["scenarios"])
    options = EngineOptions(
        scenarios,
        tuple(map(content_hash, scenarios)),
        num_envs,
        groups,
        None if lane_scenario is None else tuple(lane_scenario),
        fields.get("maxServers", 0),
        fields.get("history", False),
        fields.get("facts", False),
        fields.get("autoreset", "next-step"),
        fields.get("split", "train"),
        fields.get("seed", 0),
    )
    _check_servers(options)
    _check_lane_scenarios(options)
    return options


def _is_right(fields: Mapping[str, Any]) -> bool:
    """Whether fields need no closer look: most are right, and the schema takes long to load."""

    def is_count(value: Any, most: int) -> bool:
        return type(value) is int and 1 <= value <= most

    names = {"scenarios", "numEnvs", "groups", "autoreset", "history", "facts", "split", "seed", "laneScenario"}
    seed, lane_scenario = fields.get("seed", 0), fields.get("laneScenario", [0])
    return (
        fields.keys() <= {*names, "maxServers"}
        and 1 <= len(fields["scenarios"]) <= 256
        and is_count(fields["numEnvs"], 1_048_576)
        and is_count(fields.get("groups", 1), 256)
        and is_count(fields.get("maxServers", 1), 512)
        and type(fields.get("history", False)) is bool
        and type(fields.get("facts", False)) is bool
        and fields.get("autoreset", "disabled") in AUTORESETS
        and fields.get("split", "train") in SPLITS
        and type(seed) is int
        and 0 <= seed < 2**53
        and len(lane_scenario) > 0
        and all(type(one) is int and 0 <= one <= 255 for one in lane_scenario)
    )


def _resolve_scenarios(scenarios: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    def resolve(index: int, scenario: Any) -> dict[str, Any]:
        try:
            return resolve_scenario(scenario)
        except MecgymError as error:
            if len(scenarios) == 1:
                raise
            place = error.path if error.path is not None and error.path.startswith("/") else ""
            path = f"/scenarios/{index}{place}"
            message = f"{error.code} at {path}: expected {error.expected}, got {error.got}"
            raise MecgymError(error.code, message, path=path, expected=error.expected, got=error.got) from error

    return tuple(resolve(i, scenario) for i, scenario in enumerate(scenarios))


def _check_servers(options: EngineOptions) -> None:
    needed = options.needed_servers
    if options.max_servers != 0 and options.max_servers < needed:
        expected = f"an integer from {needed} to 512"
        raise refusal("invalidOption", "maxServers", expected, options.max_servers)


def _check_lane_scenarios(options: EngineOptions) -> None:
    for lane, index in enumerate(options.lane_scenario or ()):
        if index >= len(options.scenarios):
            # a server counts the lanes of a group
            path = f"laneScenario/{lane % options.lanes_per_group}"
            expected = f"an index into the {len(options.scenarios)} scenarios"
            raise refusal("invalidOption", path, expected, index)
