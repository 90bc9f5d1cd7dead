"""Monte-Carlo tree search with snapshots. It sees the true future: a reference point, not a fair policy."""

import math

import gymnasium

import mecgym  # noqa: F401 - its import registers the environments

env = gymnasium.make("mecgym/Offloading-v0", scenario={"users": {"count": 24}, "episodeSlots": 5}).unwrapped


class Node:
    """A decision: the reward that led to it, the state there, the actions still to try, and those that were tried."""

    def __init__(self, reward=0.0, ended=False):
        self.reward, self.snapshot, costs = reward, env.snapshot(), env.look_ahead().cost_slots
        self.untried, self.value = ([], 0.0) if ended else (costs.argsort()[:3].tolist(), -costs.min())
        self.children, self.visits, self.mean = {}, 0, 0.0


def search():
    """Return the action that was tried most, with the environment back in its state."""
    root = Node()
    for _ in range(24):
        path = [root]
        while path[-1].children and not path[-1].untried:  # good actions against rarely tried ones (UCT)
            log = math.log(path[-1].visits)
            path.append(max(path[-1].children.values(), key=lambda child: child.mean + math.sqrt(log / child.visits)))
        if path[-1].untried:
            env.restore(path[-1].snapshot)
            action = path[-1].untried.pop(0)
            _, reward, _, ended, _ = env.step(action)
            path.append(path[-1].children.setdefault(action, Node(reward, ended)))
        total = path[-1].value
        for count, node in enumerate(reversed(path), start=2):  # means per decision: paths differ in length
            total += node.reward
            node.visits += 1
            node.mean += (total / count - node.mean) / node.visits
    env.restore(root.snapshot)
    return max(root.children, key=lambda action: root.children[action].visits)


def play(choose):
    """Play the first validation episode; return the mean cost of its decisions, slots."""
    env.reset(seed=1_000_000)
    costs, ended = [], False
    while not ended:
        _, _, _, ended, info = env.step(choose())
        costs.append(info["cost_slots"])
    return sum(costs) / len(costs)


print(f"cheapest action: {play(lambda: int(env.look_ahead().cost_slots.argmin())):.3f} slots a decision")
print(f"tree search: {play(search):.3f} slots a decision")
env.close()
