// Not part of this page yet.

export const id = "learn";

export const available = () => true;

export function mount() {
  return { update() {} };
}
