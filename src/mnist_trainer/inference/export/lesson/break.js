// Not part of this page yet.

export const id = "break";

export const available = () => false;

export function mount() {
  return { update() {} };
}
