/** Plays one episode, then looks ahead at its first decision. */

import { makeEnv, makePolicy } from "mecgym";

const env = makeEnv("paper-v1", { seed: 7 });
const act = makePolicy("oracle");

// play one episode: every step is one task, and returns the cost of its decision
let step = env.reset();
let decisions = 0;
let costSlots = 0;
while (!step.truncated) {
  step = env.step(act(step.observation));
  decisions += 1;
  costSlots += step.costSlots;
}
console.log(`${decisions} decisions, mean cost ${(costSlots / decisions).toFixed(3)} slots`);

// the same episode again: what would each action of its first decision cost, and what would it leave behind?
env.reset(7);
const lookAhead = env.lookAhead();
for (const [action, cost] of lookAhead.costSlots.entries()) {
  console.log(`action ${action}: cost ${cost.toFixed(3)}, reward ${lookAhead.reward[action].toFixed(3)}`);
}
