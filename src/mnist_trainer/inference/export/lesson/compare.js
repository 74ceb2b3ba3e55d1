// Not part of this page yet.

export const id = "compare";

export const available = () => false;

export function mount() {
  return { update() {} };
}
