// Numbers as colours: grey for images, blue (negative) and orange (positive) for everything that has a sign.

const LEVELS = 255;

// The colours of a theme from -1 to 1 as [r, g, b] of 2 * LEVELS + 1 steps; 0 is the ground of the page.
function palette([negative, ground, positive]) {
  const colours = new Uint8ClampedArray(3 * (2 * LEVELS + 1));
  for (let i = 0; i <= 2 * LEVELS; i++) {
    const share = Math.abs(i - LEVELS) / LEVELS, end = i < LEVELS ? negative : positive;
    // A root lets small values be seen; the sign is never in doubt.
    for (let k = 0; k < 3; k++) colours[3 * i + k] = ground[k] + (end[k] - ground[k]) * share ** 0.8;
  }
  return colours;
}

const LIGHT = palette([[20, 84, 180], [240, 242, 245], [196, 78, 8]]);
const DARK = palette([[108, 176, 255], [24, 29, 35], [255, 160, 76]]);
const scheme = matchMedia("(prefers-color-scheme: dark)");
export const signedColours = () => (scheme.matches ? DARK : LIGHT);
export const onTheme = (listener) => scheme.addEventListener("change", listener);

// Write the colour of a value from -scale to scale into RGBA pixels.
export function putSigned(pixels, at, value, scale, colours) {
  const level = 3 * (LEVELS + Math.max(-LEVELS, Math.min(LEVELS, Math.round((LEVELS * value) / scale) || 0)));
  pixels[at] = colours[level];
  pixels[at + 1] = colours[level + 1];
  pixels[at + 2] = colours[level + 2];
  pixels[at + 3] = 255;
}

// 28x28 bytes or numbers from 0 to 1, bright ink on black; inverted: black on white. null is an empty image.
export function paintGrey(canvas, image, inverted = false) {
  const context = canvas.getContext("2d"), shown = context.createImageData(canvas.width, canvas.height);
  const scale = image instanceof Uint8Array ? 1 : 255;
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    const level = image ? Math.round(image[i] * scale) : 0, grey = inverted ? 255 - level : level;
    shown.data[4 * i] = shown.data[4 * i + 1] = shown.data[4 * i + 2] = grey;
    shown.data[4 * i + 3] = 255;
  }
  context.putImageData(shown, 0, 0);
}

export function largest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) { const size = Math.abs(values[i]); if (size > most) most = size; }
  return most;
}

// Numbers with a sign, row by row, as the canvas has pixels.
export function paintSigned(canvas, values, scale = largest(values)) {
  const context = canvas.getContext("2d"), shown = context.createImageData(canvas.width, canvas.height), colours = signedColours();
  for (let i = 0; i < canvas.width * canvas.height; i++) putSigned(shown.data, 4 * i, values[i] ?? 0, scale || 1, colours);
  context.putImageData(shown, 0, 0);
}
