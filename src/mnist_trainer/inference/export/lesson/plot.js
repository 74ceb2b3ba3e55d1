// Small plots on canvases: sharp on any screen, in the colours of the theme.
import { onTheme } from "./paint.js";

// Ten colours apart in hue and lightness; a class beyond them starts anew. Plots write the class as well.
const CLASS_COLOURS = {
  light: ["#1f5fa8", "#b3541e", "#2f7d32", "#a01d4a", "#6a3fa0", "#7a5a00", "#00707a", "#8a2f8f", "#4c5560", "#c02b2b"],
  dark: ["#7db3f5", "#f0a46a", "#86cf8a", "#f07fa5", "#bd9cf0", "#dcb64a", "#5cc8d2", "#e08ae4", "#b4bec9", "#f58b8b"],
};
const scheme = matchMedia("(prefers-color-scheme: dark)");
export const classColour = (label) => CLASS_COLOURS[scheme.matches ? "dark" : "light"][label % 10];

export const themeColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// The drawing context of a canvas as wide as it is shown and so high, in CSS pixels; cleared.
export function fitted(canvas, height) {
  const width = canvas.clientWidth || 320, scale = globalThis.devicePixelRatio || 1;
  const tall = typeof height === "function" ? height(width) : height;
  canvas.style.height = `${tall}px`;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(tall * scale);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  return { context, width, height: tall };
}

// Draw now, and again when the theme or the width of the canvas changes.
export function drawn(canvas, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (canvas.clientWidth && canvas.clientWidth !== width) { width = canvas.clientWidth; draw(); }
  }).observe(canvas);
  onTheme(draw);
  return draw;
}
