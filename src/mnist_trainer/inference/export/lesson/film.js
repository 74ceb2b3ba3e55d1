// Not part of this page yet.

export const id = "film";

export const available = () => false;

export function mount() {
  return { update() {} };
}
