// From ink to the 28x28 bytes of MNIST: digit_images/normalize.py, operation by operation.
// Images are {height, width, data}, data row by row, 0 for paper and 1 for full ink.
import { plane } from "./background.js";

const IMAGE_SIZE = 28, BOX = 20, CENTRE = 14, VISIBLE = 0.2, THIN = 1.35, TIE = 0.5 + 1e-7, FAINTEST = 10;

function place(ink) {
  const cropped = crop(ink);
  const scale = BOX / Math.max(cropped.height, cropped.width);
  const height = Math.max(1, Math.floor(cropped.height * scale + TIE));
  const width = Math.max(1, Math.floor(cropped.width * scale + TIE));
  let fitted = resample(cropped, height, width);
  if (strokeWidth(cropped) * scale < THIN) fitted = widen(fitted);
  return centred(asDarkAsMnist(fitted));
}

function crop(ink) {
  let top = ink.height, left = ink.width, bottom = 0, right = 0;
  for (let y = 0; y < ink.height; y++)
    for (let x = 0; x < ink.width; x++)
      if (ink.data[y * ink.width + x] >= VISIBLE) {
        top = Math.min(top, y); bottom = Math.max(bottom, y + 1);
        left = Math.min(left, x); right = Math.max(right, x + 1);
      }
  const height = bottom - top, width = right - left, data = new Float64Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data[y * width + x] = ink.data[(top + y) * ink.width + left + x];
  return { height, width, data };
}

function resample(ink, height, width) {
  const down = weights(ink.height, height), across = weights(ink.width, width);
  const rows = new Float64Array(height * ink.width), data = new Float64Array(height * width);
  for (let y = 0; y < height; y++)
    for (let from = 0; from < ink.height; from++) {
      const share = down[y][from];
      if (share > 0) for (let x = 0; x < ink.width; x++) rows[y * ink.width + x] += share * ink.data[from * ink.width + x];
    }
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let from = 0; from < ink.width; from++) sum += across[x][from] * rows[y * ink.width + from];
      data[y * width + x] = sum;
    }
  return { height, width, data };
}

function weights(old, count) {
  const ratio = old / count, table = [];
  for (let i = 0; i < count; i++) {
    const start = i * ratio, row = new Float64Array(old);
    let sum = 0;
    for (let index = 0; index < old; index++) {
      const share = ratio >= 1
        ? Math.min(start + ratio, index + 1) - Math.max(start, index)
        : 1 - Math.abs(start + ratio / 2 - (index + 0.5));
      row[index] = Math.max(share, 0);
      sum += row[index];
    }
    table.push(row.map((share) => share / sum));
  }
  return table;
}

function strokeWidth(ink) {
  const at = (y, x) => (y < 0 || x < 0 || y >= ink.height || x >= ink.width ? 0 : ink.data[y * ink.width + x]);
  let area = 0, outline = 0;
  for (let y = 0; y <= ink.height; y++)
    for (let x = 0; x <= ink.width; x++) {
      area += at(y, x);
      outline += Math.abs(at(y, x) - at(y - 1, x)) + Math.abs(at(y, x) - at(y, x - 1));
    }
  return ((2 * area) / outline) * (4 / Math.PI);
}

function widen(ink) {
  let { height, width, data } = ink;
  for (const [dy, dx] of [[1, 0], [0, 1]]) {
    const wide = new Float64Array(data.length);
    const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : data[y * width + x]);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) wide[y * width + x] = at(y, x) + 0.5 * (at(y - dy, x - dx) + at(y + dy, x + dx));
    data = wide;
  }
  return { height, width, data };
}

function asDarkAsMnist(ink) {
  const most = ink.data.reduce((a, b) => Math.max(a, b), 0);
  const present = ink.data.filter((value) => value >= 0.1 * most).sort();
  const level = Math.min(present[present.length > 1 ? Math.floor((3 * present.length) / 4) : 0], 1);
  return { ...ink, data: ink.data.map((value) => Math.floor(Math.min(value / level, 1) * 255 + TIE)) };
}

function centred(digit) {
  let total = 0, row = 0, column = 0;
  for (let y = 0; y < digit.height; y++)
    for (let x = 0; x < digit.width; x++) {
      const mass = digit.data[y * digit.width + x];
      total += mass; row += mass * y; column += mass * x;
    }
  const start = (mean, side) => Math.min(Math.max(Math.floor(CENTRE - mean + TIE), 0), IMAGE_SIZE - side);
  const top = start(row / total, digit.height), left = start(column / total, digit.width);
  const image = new Uint8Array(IMAGE_SIZE * IMAGE_SIZE);
  for (let y = 0; y < digit.height; y++)
    for (let x = 0; x < digit.width; x++) image[(top + y) * IMAGE_SIZE + left + x] = digit.data[y * digit.width + x];
  return image;
}

// Averaged over squares of pixels, rounded, so that the longer side is at most `most`.
function reduced(image, most) {
  const factor = Math.ceil(Math.max(image.height, image.width) / most);
  if (factor === 1) return image;
  const output = plane(Math.ceil(image.height / factor), Math.ceil(image.width / factor));
  for (let y = 0; y < output.height; y++)
    for (let x = 0; x < output.width; x++) {
      let sum = 0, count = 0;
      for (let row = y * factor; row < Math.min((y + 1) * factor, image.height); row++)
        for (let column = x * factor; column < Math.min((x + 1) * factor, image.width); column++) {
          sum += image.data[row * image.width + column];
          count++;
        }
      output.data[y * output.width + x] = Math.floor(sum / count + 0.5);
    }
  return output;
}

export { CENTRE, FAINTEST, IMAGE_SIZE, VISIBLE, place, reduced, resample };
