/** Checks plain data against the JSON Schemas, and says where it fails, what came and what was expected. */

import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import {
  datasetRecordSchema,
  observationSchema,
  promptSchema,
  replySchema,
  requestSchema,
  resultSchema,
  scenarioSchema,
  submissionSchema,
} from "./generated/schemas.js";
import { suggestion } from "./nearest.js";

/** A violation of a schema by a value. */
export interface SchemaProblem {
  /** JSON path of the offending value, such as `/uplink/meanSnrDb`; empty for the whole value. */
  readonly path: string;
  readonly expected: string;
  readonly got: unknown;
}

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, verbose: true, useDefaults: true, discriminator: true });
ajv.addKeyword({ keyword: "tsType", schemaType: "string" });

const schemas = {
  scenario: scenarioSchema,
  observation: observationSchema,
  prompt: promptSchema,
  "dataset-record": datasetRecordSchema,
  request: requestSchema,
  reply: replySchema,
  result: resultSchema,
  submission: submissionSchema,
} as const;

export type SchemaName = keyof typeof schemas;
export const schemaNames = Object.keys(schemas) as SchemaName[];

// schemas refer to each other: a record holds an observation
for (const schema of Object.values(schemas)) ajv.addSchema(schema);

/**
 * Checks `value` against the schema `name`, filling in the schema's defaults in place.
 *
 * @returns the first problem, or undefined if the value is valid
 */
export function findProblem(name: SchemaName, value: unknown): SchemaProblem | undefined {
  const validate = ajv.getSchema(schemas[name].$id) as ValidateFunction; // compiled where it is first asked for
  if (validate(value)) return undefined;
  return describeProblem(validate.errors ?? []);
}

function describeProblem(errors: readonly ErrorObject[]): SchemaProblem {
  const error = mostTelling(errors);
  const parent = error.parentSchema as { properties?: Record<string, unknown> } | undefined;
  switch (error.keyword) {
    case "additionalProperties": {
      const name = error.params.additionalProperty as string;
      const names = Object.keys(parent?.properties ?? {});
      return {
        path: `${error.instancePath}/${name}`,
        expected: `one of the fields ${names.join(", ")}${suggestion(name, names)}`,
        got: `the field ${JSON.stringify(name)}`,
      };
    }
    case "enum":
      return { path: error.instancePath, expected: `one of ${JSON.stringify(error.schema)}`, got: error.data };
    case "const":
      return { path: error.instancePath, expected: JSON.stringify(error.schema), got: error.data };
    case "required":
      return {
        path: error.instancePath,
        expected: `the field ${JSON.stringify(error.params.missingProperty)}`,
        got: error.data,
      };
    default:
      return {
        path: error.instancePath,
        expected: (error.message ?? error.keyword).replace(/^must /, "to "),
        got: error.data,
      };
  }
}

/**
 * The most useful of the errors. A union reports every branch that failed; the branch closest to the value is the one
 * with the deepest error, and a branch that names the kind (`process: "poisson"`) beats its siblings.
 */
function mostTelling(errors: readonly ErrorObject[]): ErrorObject {
  const rank = (error: ErrorObject) => {
    if (error.keyword === "anyOf" || error.keyword === "oneOf") return -1;
    const depth = error.instancePath.split("/").length;
    const isWrongBranch = error.keyword === "type" || error.keyword === "const" || error.keyword === "required";
    return depth * 2 + (isWrongBranch ? 0 : 1);
  };
  return errors.reduce((best, error) => (rank(error) > rank(best) ? error : best));
}
