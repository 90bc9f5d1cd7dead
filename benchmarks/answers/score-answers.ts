/** Scores files of answers in one profile, and makes a table with a row for each file. */

import { markdownTable } from "markdown-table";
import type { ReleaseOptions, Scenario } from "../../env/index.js";
import type { DatasetRecord } from "../../schemas/generated/types.js";
import { type Estimate, type Figure, figureOf } from "../figures.js";
import { oneProfile, type Profile } from "../metrics/profiles.js";
import { ResamplePlan } from "../metrics/statistics.js";
import { interval } from "../report/cells.js";
import { invalid, type PlacedRecord, textOf } from "./answer-files.js";
import { paperFigures, paperMetrics, paperQuestion, scorePaperAnswer } from "./score-paper.js";
import { readQuestion, releaseFigures, releaseMetrics, scoreAnswer } from "./score-release.js";

/** How a metric is shown. */
interface MetricText {
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  readonly better: Figure["better"];
}

const metricsOf: Readonly<Record<Profile, Readonly<Record<string, MetricText>>>> = {
  paper: paperMetrics,
  "comllm-release": releaseMetrics,
};

/** The scores of one file of answers. */
export interface AnswerScores {
  readonly profile: Profile;
  readonly name: string;
  /** By name; null for a figure that is not defined. */
  readonly figures: Readonly<Record<string, Estimate | null>>;
  /** The figures of every answer, in order. */
  readonly rows: readonly object[];
}

/** The content of a file of answers. */
export interface AnswerFile {
  /** Names its row in a table. */
  readonly name: string;
  /** Where it is, for errors. */
  readonly path: string;
  readonly records: readonly PlacedRecord[];
}

/**
 * Scores answers to published records, {input, output} or {prompt}, in the profile `comllm-release`. All files answer
 * the same states.
 *
 * @param states records with the questions; undefined if the files' own records have them
 * @param column field with the answer; by default `completion`, or `model_output` of published results
 * @throws MecgymError `invalidRecord`, `invalidOption`
 */
export function scoreReleaseFiles(
  files: readonly AnswerFile[],
  states: readonly PlacedRecord[] | undefined,
  column: string | undefined,
  options: ReleaseOptions,
): AnswerScores[] {
  const shared = states?.map((record) => readQuestion(record, true));
  const first = shared ?? files[0].records.map((record) => readQuestion(record, false));
  return files.map(({ name, path, records }) => {
    checkCount(path, records, first.length);
    const answers = records.map((record, i) => {
      const question = shared?.[i] ?? readQuestion(record, false);
      if (JSON.stringify(question.state) !== JSON.stringify(first[i].state)) {
        throw invalid(record.place, question.state, `the state of ${first[i].place}: rows of a table answer the same`);
      }
      return scoreAnswer(question, answerOf(record, column), options);
    });
    const figures = releaseFigures(answers, planOf(answers.length));
    return { profile: "comllm-release", name, figures, rows: answers.map(({ profile, ...row }) => row) };
  });
}

/**
 * Scores answers to a data set of this package in the profile `paper`.
 *
 * @param states the checked records of the data set, with their places
 * @param own scenarios that are known in addition to the frozen ones
 * @throws MecgymError `invalidRecord`, `unknownScenario`
 */
export function scorePaperFiles(
  files: readonly AnswerFile[],
  states: readonly { readonly place: string; readonly record: DatasetRecord }[],
  column: string | undefined,
  own: readonly Scenario[] = [],
): AnswerScores[] {
  const questions = states.map(({ place, record }) => paperQuestion(place, record, own));
  return files.map(({ name, path, records }) => {
    checkCount(path, records, questions.length);
    const answers = records.map((record, i) => scorePaperAnswer(questions[i], answerOf(record, column)));
    const figures = paperFigures(questions, answers, planOf(answers.length));
    return { profile: "paper", name, figures, rows: answers.map(({ profile, ...row }) => row) };
  });
}

/** Resamples of answers. All files of a table share them, so that their figures are paired. */
function planOf(count: number): ResamplePlan {
  return new ResamplePlan("score", count);
}

function checkCount(path: string, records: readonly PlacedRecord[], count: number): void {
  if (records.length !== count) throw invalid(path, `${records.length} answers`, `${count}, one for each state`);
}

/** The answer in a record: a text, or the first of several messages. */
function answerOf({ place, fields }: PlacedRecord, column: string | undefined): string {
  const columns = column === undefined ? ["completion", "model_output"] : [column];
  const name = columns.find((one) => fields[one] !== undefined);
  if (name !== undefined) return textOf(fields[name], `${place}/${name}`);
  throw invalid(place, Object.keys(fields), `a field ${columns.join(" or ")} with the answer; --column names another`);
}

/**
 * A table with a row for each file.
 *
 * @throws MecgymError `mixedProfiles`
 */
export function renderScores(scores: readonly AnswerScores[]): string {
  const metrics = Object.entries(metricsOf[oneProfile(scores)]);
  const rows = scores.map(({ name, figures }) => [
    name,
    ...metrics.map(([metric, { digits }]) => interval(figures[metric], digits)),
  ]);
  const header = ["answers", ...metrics.map(([, { title }]) => title)];
  return markdownTable([header, ...rows], { align: ["l", ...metrics.map(() => "r" as const)] });
}

/**
 * The figures as measuring commands print them; ids begin with the profile.
 *
 * @throws MecgymError `mixedProfiles`
 */
export function scoreFigures(scores: readonly AnswerScores[]): Figure[] {
  const profile = oneProfile(scores);
  return scores.flatMap(({ name, figures }) =>
    Object.entries(metricsOf[profile]).flatMap(([metric, { unit, better }]) => {
      const figure = figures[metric];
      return figure === null ? [] : [figureOf(`${profile}/${name}/${metric}`, unit, figure, better)];
    }),
  );
}

/** Lines with the figures of every answer. Each line names its profile. */
export function* scoreLines(scores: readonly AnswerScores[]): Generator<string> {
  for (const { profile, name, rows } of scores) {
    for (const [index, row] of rows.entries()) yield `${JSON.stringify({ profile, answers: name, index, ...row })}\n`;
  }
}
