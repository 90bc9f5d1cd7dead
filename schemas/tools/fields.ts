/** The fields of a JSON Schema as rows a reader can take in: type, unit, bounds, default and what they mean. */

/** A schema or a part of one. */
export interface SchemaNode {
  readonly [keyword: string]: unknown;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly $ref?: string;
}

export interface FieldRow {
  /** Names joined by points; `[]` for the entries of a list, a title in brackets for one of several forms. */
  readonly path: string;
  readonly isRequired: boolean;
  readonly type: string;
  /** Unit by the field's name or, where that has none, by its description; empty for what has no unit. */
  readonly unit: string;
  /** Bounds of numbers and of lengths of lists, as the description must say them. */
  readonly bounds: readonly string[];
  /** Bounds of texts. */
  readonly textBounds: readonly string[];
  /** As JSON; empty for none. */
  readonly default: string;
  readonly description: string;
  /** Whether it holds numbers. */
  readonly isNumeric: boolean;
}

/** The rows of one type. */
export interface FieldTable {
  readonly title: string;
  readonly description: string;
  readonly rows: readonly FieldRow[];
}

/** Unit by the end of a name; longer ends first. */
const unitsByEnding: readonly [string, string][] = [
  ["GcyclesPerMbit", "Gcycles/Mbit"],
  ["Mbit", "Mbit"],
  ["Mbps", "Mbit/s"],
  ["GHz", "GHz"],
  ["Db", "dB"],
  ["Seconds", "seconds"],
  ["Slots", "slots"],
  ["Percent", "%"],
];

/** The unit that a name ends in; undefined where it names none. */
export function unitOfName(name: string): string | undefined {
  return unitsByEnding.find(([ending]) => name.endsWith(ending) || name === ending.toLowerCase())?.[1];
}

/** A table for the schema itself, for each of its forms where it has several, and for each of its definitions. */
export function tablesOf(schema: SchemaNode): FieldTable[] {
  const tables: FieldTable[] = [];
  const add = (node: SchemaNode, name: string) => {
    const inline = (node.oneOf ?? []).filter((form) => form.$ref === undefined);
    tables.push({ title: name, description: node.description ?? "", rows: [...rowsOf(node, "")] });
    for (const form of inline) add(form, form.title ?? name);
  };
  add(schema, schema.title ?? "");
  for (const [name, node] of Object.entries(schema.$defs ?? {})) add(node, name);
  return tables;
}

function* rowsOf(node: SchemaNode, path: string): Generator<FieldRow> {
  for (const [name, field] of Object.entries(node.properties ?? {})) {
    const own = path === "" ? name : `${path}.${name}`;
    yield rowOf(field, own, name, node.required?.includes(name) ?? false);
    yield* innerRows(field, own);
  }
}

/** Rows of what a field holds: of its entries, and of each of its forms. */
function* innerRows(field: SchemaNode, path: string): Generator<FieldRow> {
  yield* rowsOf(field, path);
  if (field.items !== undefined) yield* innerRows(field.items, `${path}[]`);
  for (const form of field.anyOf ?? []) yield* innerRows(form, `${path}(${form.title})`);
}

function rowOf(field: SchemaNode, path: string, name: string, isRequired: boolean): FieldRow {
  const description = field.description ?? "";
  return {
    path,
    isRequired,
    type: typeText(field),
    unit: unitOfName(name) ?? /\bin (slots|Mbit\/s|Mbit|GHz|dB|seconds|%)/.exec(description)?.[1] ?? "",
    bounds: boundsOf(field),
    textBounds: textBoundsOf(field),
    default: field.default === undefined ? "" : JSON.stringify(field.default),
    description,
    isNumeric: isNumeric(field),
  };
}

function typeText(node: SchemaNode): string {
  if (node.$ref !== undefined) return refName(node.$ref);
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (Array.isArray(node.enum)) return node.enum.map((value) => JSON.stringify(value)).join(" or ");
  const forms = node.anyOf ?? node.oneOf;
  if (forms !== undefined) return forms.map(typeText).join(" or ");
  const names = typesOf(node).map((type) => {
    if (type === "array") return node.items === undefined ? "list" : `list of ${typeText(node.items)}`;
    if (type === "object") return node.title ?? type;
    return type === "string" ? "text" : type;
  });
  return names.join(" or ");
}

/** Name of a referenced definition or, for another schema, of that schema. */
function refName(ref: string): string {
  return ref.startsWith("#") ? (ref.split("/").pop() as string) : ref.replace(/^urn:mecgym:schema:/, "").split(":")[0];
}

function typesOf({ type }: SchemaNode): readonly string[] {
  return type === undefined ? [] : typeof type === "string" ? [type] : type;
}

function isNumeric(node: SchemaNode): boolean {
  if (node.const !== undefined || node.enum !== undefined) return false;
  if (typesOf(node).some((type) => type === "number" || type === "integer")) return true;
  return partsOf(node).some(isNumeric);
}

/** What a field's own description must cover: its entries and those of its forms that are no objects of their own. */
function partsOf(node: SchemaNode): SchemaNode[] {
  return [...(node.items === undefined ? [] : [node.items]), ...(node.anyOf ?? [])].filter(
    (part) => part.description === undefined || part.items !== undefined,
  );
}

function boundsOf(node: SchemaNode): string[] {
  if (node.const !== undefined || node.enum !== undefined) return [];
  const types = typesOf(node);
  const own: string[] = [];
  if (types.includes("number") || types.includes("integer")) own.push(numberBounds(node));
  if (types.includes("array")) own.push(...lengthBounds(node, "Items", "entry", "entries"));
  return [...new Set([...partsOf(node).flatMap(boundsOf), ...own])];
}

/** The bounds of a number in words: `0 to 1`, `0 or more`, `above 0`, `1 or less`, `any number`. */
function numberBounds({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: SchemaNode): string {
  const low = exclusiveMinimum === undefined ? minimum : exclusiveMinimum;
  const high = exclusiveMaximum === undefined ? maximum : exclusiveMaximum;
  if (low === undefined && high === undefined) return "any number";
  const isLowOpen = exclusiveMinimum !== undefined;
  const isHighOpen = exclusiveMaximum !== undefined;
  if (low !== undefined && high !== undefined && !isLowOpen && !isHighOpen)
    return `${written(low)} to ${written(high)}`;
  const lower = low === undefined ? [] : [isLowOpen ? `above ${written(low)}` : `${written(low)} or more`];
  const upper = high === undefined ? [] : [isHighOpen ? `below ${written(high)}` : `${written(high)} or less`];
  return [...lower, ...upper].join(", ");
}

function lengthBounds(node: SchemaNode, what: "Items" | "Length", one: string, many: string): string[] {
  const low = node[`min${what}`];
  const high = node[`max${what}`];
  if (low === undefined && high === undefined) return [];
  if (low === high) return [`${low} ${low === 1 ? one : many}`];
  if (low === undefined) return [`${high} or fewer ${many}`];
  return [high === undefined ? `${low} or more ${many}` : `${low} to ${high} ${many}`];
}

function textBoundsOf(node: SchemaNode): string[] {
  const own = lengthBounds(node, "Length", "character", "characters");
  if (typeof node.pattern === "string") own.push(`pattern ${node.pattern}`);
  if (typeof node.format === "string") own.push(`format ${node.format}`);
  return [...new Set([...own, ...partsOf(node).flatMap(textBoundsOf)])];
}

function written(value: unknown): string {
  return value === Number.MAX_SAFE_INTEGER ? "2^53 − 1" : String(value);
}
