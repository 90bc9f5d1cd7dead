"""Plays one episode on an OpenEnv server with a rule of thumb: ``openenv_agent.py http://127.0.0.1:8000 [SEED]``.

Start the server with ``python -m mecgym.openenv``.
"""

import sys

from mecgym.openenv import OffloadingAction, OffloadingClient

address, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7

with OffloadingClient(base_url=address).sync() as client:
    result = client.reset(seed=seed)
    cost_slots = 0.0
    while not result.done:
        servers = result.observation.servers
        # fewest tasks first, and among those the best uplink
        best = min(
            (action for action in result.observation.actions if action > 0),
            key=lambda action: (servers[action - 1]["activeTasks"], -servers[action - 1]["rateMbps"]),
        )
        result = client.step(OffloadingAction(server=best))
        cost_slots -= result.reward
    decisions = result.observation.decision_index
    print(f"{decisions} decisions, mean cost {cost_slots / decisions:.3f} slots")
