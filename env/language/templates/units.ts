/** Quantities as text: a number with its unit, in the units of a template or in others. */

/** What is measured; each kind has a unit of its own. */
export type QuantityKind = "data" | "rate" | "cpu" | "density" | "time";

/** A unit: how a value in the simulator's own unit becomes a number in this one. */
export interface Unit {
  /** What follows the number, its space included. */
  readonly symbol: string;
  /** The number is value·multiply÷divide, in this order. */
  readonly multiply: number;
  readonly divide: number;
  /** Decimals of a quantity of the state, such that costs found from the text are close to the true ones. */
  readonly decimals: number;
  /** Decimals of a workload in a history. */
  readonly historyDecimals: number;
  /** Whether a time in slots becomes seconds first. */
  readonly isSeconds: boolean;
}

/** A template's unit for each kind, and others that say the same. */
export type UnitTable = Readonly<Record<QuantityKind, { readonly standard: Unit; readonly others: readonly Unit[] }>>;

/** Most decimals of any number, and the digits to which a constant is true. */
const MAX_DIGITS = 12;

export function unit(symbol: string, decimals: number, options: Partial<Unit> = {}): Unit {
  return { multiply: 1, divide: 1, historyDecimals: 1, isSeconds: false, ...options, symbol, decimals };
}

/** Writes quantities in one choice of units. */
export class Units {
  readonly #units: Readonly<Record<QuantityKind, Unit>>;
  readonly #slotSeconds: number;

  /** @param slotSeconds Δt, by which units of time other than the slot are found */
  constructor(units: Readonly<Record<QuantityKind, Unit>>, slotSeconds: number) {
    this.#units = units;
    this.#slotSeconds = slotSeconds;
  }

  /** A size, rate or capacity of the state, with its unit: three digits at least, for it multiplies or divides. */
  factor(kind: QuantityKind, value: number): string {
    const { decimals, symbol } = this.#units[kind];
    return `${formatFactor(this.#convert(kind, value), decimals)}${symbol}`;
  }

  /** Work or a wait of the state, with its unit: it is added up, so little of it is as good as none. */
  amount(kind: QuantityKind, value: number): string {
    const { decimals, symbol } = this.#units[kind];
    return `${this.#convert(kind, value).toFixed(decimals)}${symbol}`;
  }

  /** A quantity of the scenario, with its unit, and with all its digits. */
  constant(kind: QuantityKind, value: number): string {
    return `${formatConstant(this.#convert(kind, value))}${this.#units[kind].symbol}`;
  }

  /**
   * The values of a workload history, without a unit.
   *
   * @param largeDecimals decimals from 100 on, where a decimal says little and costs a token
   */
  history(values: ArrayLike<number>, largeDecimals = 0): string[] {
    const { historyDecimals } = this.#units.data;
    return Array.from(values, (value) => {
      const shown = this.#convert("data", value);
      return shown.toFixed(shown < 100 ? historyDecimals : Math.min(largeDecimals, historyDecimals));
    });
  }

  /** The unit of a kind, its leading space included. */
  symbol(kind: QuantityKind): string {
    return this.#units[kind].symbol;
  }

  #convert(kind: QuantityKind, value: number): number {
    const { multiply, divide, isSeconds } = this.#units[kind];
    return ((isSeconds ? value * this.#slotSeconds : value) * multiply) / divide;
  }
}

/**
 * A value with a fixed number of decimals, or, where those would show fewer than three digits of it, with more, so that
 * a rate close to nothing stays apart from nothing. ECMAScript defines toFixed exactly: the text is the same everywhere.
 */
function formatFactor(value: number, decimals: number): string {
  let places = 0;
  for (let digits = value; value > 0 && digits < 100 && places < MAX_DIGITS; places++) digits *= 10;
  return value.toFixed(places > decimals ? places : decimals);
}

/** A value to twelve digits, without needless zeros and never in exponent form. */
function formatConstant(value: number): string {
  const text = Number(value.toPrecision(MAX_DIGITS)).toFixed(MAX_DIGITS);
  return text.replace(/\.?0+$/, "");
}
