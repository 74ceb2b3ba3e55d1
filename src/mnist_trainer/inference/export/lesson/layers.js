// Not part of this page yet.

export const id = "layers";

export const available = () => true;

export function mount() {
  return { update() {} };
}
