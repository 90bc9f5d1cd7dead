"""Monte-Carlo tree search with snapshots. It sees the true future: a mark for policies, not one to be compared."""

import math

import gymnasium

import mecgym  # noqa: F401 - its import registers the environments

SIMULATIONS, WIDTH, EXPLORATION = 24, 3, 1.0
env = gymnasium.make("mecgym/Offloading-v0", scenario={"users": {"count": 24}, "episodeSlots": 5}).unwrapped


class Node:
    """A decision: what led to it, where the environment stands, what its actions cost now, and what was tried."""

    def __init__(self, reward=0.0, ended=False):
        self.reward, self.ended, self.snapshot = reward, ended, env.snapshot()
        self.costs = env.look_ahead().cost_slots
        self.untried = self.costs.argsort()[:WIDTH].tolist()
        self.children, self.visits, self.total = {}, 0, 0.0

    def score(self, parent):
        """Weigh what is good against what was seldom tried (UCT)."""
        return self.total / self.visits + EXPLORATION * math.sqrt(math.log(parent.visits) / self.visits)


def search():
    """Give the action that was tried most, and come back to where the environment stood."""
    root = Node()
    for _ in range(SIMULATIONS):
        path = [root]
        while not path[-1].ended and not path[-1].untried:
            path.append(max(path[-1].children.values(), key=lambda child: child.score(path[-1])))
        if not path[-1].ended:
            env.restore(path[-1].snapshot)
            action = path[-1].untried.pop(0)
            _, reward, _, ended, _ = env.step(action)
            path[-1].children[action] = Node(reward, ended)
            path.append(path[-1].children[action])
        value = 0.0 if path[-1].ended else -path[-1].costs.min()
        for count, node in enumerate(reversed(path), start=2):  # the mean of what follows, for paths differ in length
            value += node.reward
            node.visits, node.total = node.visits + 1, node.total + value / count
    env.restore(root.snapshot)
    return max(root.children, key=lambda action: root.children[action].visits)


def play(choose):
    """Play the first validation episode; give the mean cost of its decisions, slots."""
    env.reset(seed=1_000_000)
    costs, ended = [], False
    while not ended:
        _, _, _, ended, info = env.step(choose())
        costs.append(info["cost_slots"])
    return sum(costs) / len(costs)


print(f"cheapest action: {play(lambda: int(env.look_ahead().cost_slots.argmin())):.3f} slots a decision")
print(f"tree search: {play(search):.3f} slots a decision")
env.close()
