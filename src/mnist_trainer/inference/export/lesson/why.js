// Not part of this page yet.

export const id = "why";

export const available = () => true;

export function mount() {
  return { update() {} };
}
