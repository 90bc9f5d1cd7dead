/** Finds the parts of a page by their ids, and reads its controls. */

/** @throws Error if the page has no such element: page and script do not belong together */
export function element<E extends Element>(id: string, kind: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} with the id ${id}`);
  return found;
}

/** A range or number input: shows its value in the `output` next to it, and calls `changed` when it moves. */
export function slider(id: string, unit: string, changed: () => void): () => number {
  const input = element(id, HTMLInputElement);
  const shown = element(`${id}-value`, HTMLOutputElement);
  const show = () => {
    shown.value = `${input.value}${unit}`;
  };
  input.addEventListener("input", () => {
    show();
    changed();
  });
  show();
  return () => Number(input.value);
}

/** Sets a control as if its user had moved it. */
export function setControl(id: string, value: string | number): void {
  const control = document.getElementById(id);
  if (!(control instanceof HTMLInputElement || control instanceof HTMLSelectElement)) return;
  control.value = String(value);
  control.dispatchEvent(new Event("input"));
}
