"""Monte-Carlo tree search with snapshots. It sees the true future: a mark for policies, not one to be compared."""

import math

import gymnasium

import mecgym  # noqa: F401 - its import registers the environments

env = gymnasium.make("mecgym/Offloading-v0", scenario={"users": {"count": 24}, "episodeSlots": 5}).unwrapped


class Node:
    """A decision: what led to it, where the environment stands, which actions are to be tried, and what was tried."""

    def __init__(self, reward=0.0, ended=False):
        self.reward, self.snapshot, costs = reward, env.snapshot(), env.look_ahead().cost_slots
        self.untried, self.value = ([], 0.0) if ended else (costs.argsort()[:3].tolist(), -costs.min())
        self.children, self.visits, self.mean = {}, 0, 0.0


def search():
    """Give the action that was tried most, and come back to where the environment stood."""
    root = Node()
    for _ in range(24):
        path = [root]
        while path[-1].children and not path[-1].untried:  # what is good, against what was seldom tried (UCT)
            log = math.log(path[-1].visits)
            path.append(max(path[-1].children.values(), key=lambda child: child.mean + math.sqrt(log / child.visits)))
        if path[-1].untried:
            env.restore(path[-1].snapshot)
            action = path[-1].untried.pop(0)
            _, reward, _, ended, _ = env.step(action)
            path.append(path[-1].children.setdefault(action, Node(reward, ended)))
        total = path[-1].value
        for count, node in enumerate(reversed(path), start=2):  # the mean of what follows, for paths differ in length
            total += node.reward
            node.visits += 1
            node.mean += (total / count - node.mean) / node.visits
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
