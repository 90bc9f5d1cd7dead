/** The golden figures: look-aheads, prompts, statistics, data sets and results, each as one hash for every language. */

import { createHash, type Hash } from "node:crypto";
import { type DatasetKind, datasetKinds, planDataset } from "../../benchmarks/datasets/plan.js";
import { JobWorker } from "../../benchmarks/jobs/job-worker.js";
import { runSuite } from "../../benchmarks/runs/run-suite.js";
import { findSuite } from "../../benchmarks/suites/suites.js";
import {
  BatchEnv,
  episodeStatsFields,
  LaneView,
  type LookAheadRequest,
  type PerturbationId,
  perturbationIds,
  renderPrompt,
  type TemplateId,
  templateIds,
} from "../../env/index.js";

/** The first decisions of an episode, taken by the rule `in-turn` of the golden trajectories. */
interface Decisions {
  readonly scenario: string;
  readonly seed: number;
  readonly decisions: number;
}

/** For each decision latencySlots, costSlots, impactSlots and reward of actions 0…E as little-endian float64. */
interface GoldenLookAhead extends Decisions {
  readonly options: LookAheadRequest;
}

/** For each decision the prompt as UTF-8 and a line feed. */
interface GoldenPrompts extends Decisions {
  readonly template: TemplateId;
  readonly perturbation: PerturbationId;
}

/** For each episode, played by the same rule, its `episodeStatsFields` in order as little-endian float64. */
interface GoldenStatistics {
  readonly scenario: string;
  readonly seeds: readonly number[];
}

/** The bytes of the file, with the command's defaults. */
interface GoldenDataset {
  readonly kind: DatasetKind;
  readonly scenario: string;
  readonly count?: number;
  readonly labels?: string;
}

/** The leaves of the result's settings, as `addLeaves` has them. */
interface GoldenResult {
  readonly suite: string;
  readonly policies: readonly string[];
  readonly episodes: number;
  readonly firstSeed: number;
}

type Hashed<T> = T & { readonly sha256: string };

export interface GoldenFigures {
  readonly lookAheads: readonly Hashed<GoldenLookAhead>[];
  readonly prompts: readonly Hashed<GoldenPrompts>[];
  readonly statistics: readonly Hashed<GoldenStatistics>[];
  readonly datasets: readonly Hashed<GoldenDataset>[];
  readonly results: readonly Hashed<GoldenResult>[];
}

const worlds = ["paper-v1", "paper-3-to-11-servers-v1", "bursty-v1", "churn-v1"];
/** An episode whose servers leave soon, with churn. */
const seed = 2_000_125;

const lookAheadOptions: readonly LookAheadRequest[] = [
  {},
  { numSamples: 5, weight: 1, sizeFactor: { min: 0.8, max: 1.2 }, mode: "sequential", rates: "resampled" },
];

function lookAheads(): GoldenLookAhead[] {
  return worlds.flatMap((scenario) => lookAheadOptions.map((options) => ({ scenario, seed, decisions: 100, options })));
}

function prompts(): GoldenPrompts[] {
  const wordings = templateIds.flatMap((template) =>
    perturbationIds.map((perturbation) => ({ template, perturbation })),
  );
  return wordings.flatMap(({ template, perturbation }) =>
    // the released scripts have words for only one rate for all servers
    (template === "zh-release-v1" ? ["release-3-servers-v1"] : worlds).map((scenario) => {
      return { scenario, seed, decisions: 40, template, perturbation };
    }),
  );
}

function statistics(): GoldenStatistics[] {
  return worlds.map((scenario) => ({ scenario, seeds: [seed, seed + 1, seed + 2] }));
}

function datasets(): GoldenDataset[] {
  return [
    ...datasetKinds.map((kind) => ({ kind, scenario: "paper-v1" })),
    { kind: "sft", scenario: "paper-3-to-11-servers-v1", count: 100, labels: "lacs" },
    { kind: "grpo", scenario: "bursty-v1", count: 100 },
    { kind: "test", scenario: "churn-v1", count: 100 },
  ];
}

function results(): GoldenResult[] {
  const policies = ["oracle", "random", "round-robin"];
  // 3 to 11 servers, and both protocols
  return ["paper-table-2", "paper-table-4"].map((suite) => ({ suite, policies, episodes: 2, firstSeed: seed }));
}

/** All recorded figures, computed here. */
export async function computeFigures(): Promise<GoldenFigures> {
  return {
    lookAheads: lookAheads().map((one) => ({ ...one, sha256: hashLookAheads(one) })),
    prompts: prompts().map((one) => ({ ...one, sha256: hashPrompts(one) })),
    statistics: statistics().map((one) => ({ ...one, sha256: hashStatistics(one) })),
    datasets: datasets().map((one) => ({ ...one, sha256: hashDataset(one) })),
    results: await Promise.all(results().map(async (one) => ({ ...one, sha256: await hashResult(one) }))),
  };
}

function hashLookAheads({ options, ...which }: GoldenLookAhead): string {
  return hashDecisions(which, (hash, batch) => {
    const { latencySlots, costSlots, impactSlots, reward } = batch.lookAhead(0, options);
    for (const values of [latencySlots, costSlots, impactSlots, reward]) for (const one of values) addNumber(hash, one);
  });
}

function hashPrompts({ template, perturbation, ...which }: GoldenPrompts): string {
  return hashDecisions(which, (hash, batch) => {
    const view = new LaneView(batch.lanes, 0);
    hash.update(`${renderPrompt(view, { template, perturbation, seed: which.seed }).text}\n`);
  });
}

function hashDecisions(which: Decisions, add: (hash: Hash, batch: BatchEnv) => void): string {
  const batch = batchOf(which.scenario);
  const hash = createHash("sha256");
  batch.reset([which.seed]);
  for (let i = 0; i < which.decisions; i++) {
    add(hash, batch);
    takeTurn(batch, i);
  }
  return hash.digest("hex");
}

function hashStatistics({ scenario, seeds }: GoldenStatistics): string {
  const batch = batchOf(scenario);
  const hash = createHash("sha256");
  for (const one of seeds) {
    batch.reset([one]);
    for (let i = 0; i === 0 || batch.numFinal === 0; i++) takeTurn(batch, i);
    for (const [i] of episodeStatsFields.entries()) addNumber(hash, batch.finalStats[i]);
  }
  return hash.digest("hex");
}

function batchOf(scenario: string): BatchEnv {
  return new BatchEnv({ scenarios: [scenario], numLanes: 1, invalidActions: "costliest" });
}

function takeTurn(batch: BatchEnv, decisionIndex: number): void {
  batch.step([decisionIndex % (batch.outputs.numServers[0] + 1)]);
}

function hashDataset(input: GoldenDataset): string {
  const plan = planDataset(input);
  const { bytes } = new JobWorker().do({ kind: "records", plan, firstIndex: 0, count: plan.count });
  return createHash("sha256").update(bytes).digest("hex");
}

async function hashResult({ suite, ...options }: GoldenResult): Promise<string> {
  const runtime = { node: process.version, platform: process.platform, arch: process.arch };
  const { settings } = await runSuite(findSuite(suite), { ...options, packageVersion: "0.0.0", runtime });
  const hash = createHash("sha256");
  addLeaves(hash, settings);
  return hash.digest("hex");
}

/**
 * Adds a JSON value independently of how its numbers are written: objects as names and values, sorted by name; numbers
 * as little-endian float64; names and texts as UTF-8; true, false and null as words; each followed by a zero byte.
 */
function addLeaves(hash: Hash, value: unknown): void {
  if (Array.isArray(value)) {
    for (const one of value) addLeaves(hash, one);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
      addLeaves(hash, name);
      addLeaves(hash, one);
    }
  } else if (typeof value === "number") {
    addNumber(hash, value);
    hash.update("\0");
  } else {
    hash.update(`${value}\0`);
  }
}

function addNumber(hash: Hash, value: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  hash.update(bytes);
}
