// Lines of the paper and of forms taken out of ink: digit_images/remove_lines.py, operation by operation.
import { clamp, mapped, median, plane } from "./background.js";

const STRIPS = 24, NARROWEST = 3, SMALLEST = 24, PRESENT = 0.2, AS_STRONG = 0.4, REACH = 0.6, STEEPEST = 0.14;
const BORDER_ZONE = 0.2, PASSES = 2, BORDER_STRENGTH = 0.3;

function removeLines(maps) {
  for (let pass = 0; pass < PASSES; pass++) {
    const before = maps.strongest.data;
    maps = turned(eraseHorizontalLines(turned(eraseHorizontalLines(maps))));
    if (maps.strongest.data.every((value, i) => value === before[i])) break;
  }
  return maps;
}

const eachMap = (maps, change) => Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, change(map)]));

const turned = (maps) => eachMap(maps, ({ height, width, data, noise }) => {
  const output = { ...plane(width, height), noise };
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) output.data[x * height + y] = data[y * width + x];
  return output;
});

function eraseHorizontalLines(maps) {
  const lines = findLines(maps.strongest);
  return eachMap(maps, (map) => ({ ...map, data: lines.reduce((data, line) => eraseLine({ ...map, data }, line), map.data) }));
}

function findLines(map) {
  const { height, width, data, noise } = map;
  if (Math.min(height, width) < SMALLEST) return [];
  const count = Math.min(STRIPS, Math.floor(width / NARROWEST));
  const thick = mapped(map, (value, i) => Math.max(value, data[i - width] ?? 0, data[i + width] ?? 0));
  const { slope, scores } = bestSlope(stripMeans(thick, count), height, count, width);
  const least = Math.max(0.03, (2 * noise) / Math.sqrt(width / count));
  return thinPeaks(scores, least).map(([top, bottom]) => ({
    middle: Array.from({ length: width }, (_, x) => Math.floor((top + bottom - 1) / 2 + slope * (x - (width - 1) / 2) + 0.5)),
    reach: Math.floor((bottom - top) / 2) + Math.floor((bottom - top) / 6),
  }));
}

// The mean of each row within each of the vertical strips, row by row.
function stripMeans({ height, width, data }, count) {
  const bounds = Array.from({ length: count + 1 }, (_, i) => Math.floor(i === count ? width : i * (width / count)));
  const means = new Float64Array(height * count);
  for (let y = 0; y < height; y++)
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let x = bounds[i]; x < bounds[i + 1]; x++) sum += data[y * width + x];
      means[y * count + i] = sum / (bounds[i + 1] - bounds[i]);
    }
  return means;
}

function bestSlope(strips, height, count, width) {
  const steps = Math.floor(Math.floor((STEEPEST * width) / 2) / 2) * 2;
  const scored = (step) => {
    const shifts = Array.from({ length: count }, (_, i) =>
      Math.floor(((2 * step) / width) * (((i + 0.5) / count) * width - width / 2) + 0.5));
    const scores = new Float64Array(height), seen = new Float64Array(count);
    for (let y = 0; y < height; y++) {
      for (let i = 0; i < count; i++) {
        const row = y + shifts[i];
        seen[i] = row >= 0 && row < height ? strips[row * count + i] : Infinity;
      }
      scores[y] = lineStrength(seen);
    }
    return { step, scores, sum: scores.reduce((sum, value) => sum + value * value, 0) };
  };
  const rounded = ({ sum }) => Math.round(sum * 1000);
  const better = (one, other) => rounded(other) - rounded(one) || Math.abs(one.step) - Math.abs(other.step);
  const first = (options) => options.reduce((best, each) => (better(each, best) < 0 ? each : best));
  const coarse = first(Array.from({ length: steps + 1 }, (_, i) => scored(2 * i - steps)));
  const best = first([coarse, scored(coarse.step - 1), scored(coarse.step + 1)]);
  return { slope: (2 * best.step) / width, scores: best.scores };
}

function lineStrength(seen) {
  const count = seen.length, part = Math.ceil(REACH * count), ordered = seen.slice().sort();
  const inside = seen.reduce((sum, value) => sum + (value < Infinity ? 1 : 0), 0);
  if (3 * inside < 2 * count) return 0;
  const usual = ordered[Math.min(inside >> 1, count - 1)];
  const across = Math.min(seen[0], seen[count - 1]) >= AS_STRONG * usual ? ordered[Math.min(Math.floor(inside * PRESENT), count - 1)] : 0;
  const partly = Math.max(Math.min(...seen.subarray(0, part)), Math.min(...seen.subarray(count - part)));
  return Math.max(across, partly >= AS_STRONG * usual ? partly : 0);
}

function thinPeaks(scores, least) {
  const height = scores.length, free = scores.slice(), peaks = [];
  for (;;) {
    const row = free.indexOf(free.reduce((a, b) => Math.max(a, b)));
    if (free[row] < least) return peaks;
    let top = row, bottom = row;
    while (top > 0 && scores[top - 1] >= scores[row] / 2) top--;
    while (bottom < height - 1 && scores[bottom + 1] >= scores[row] / 2) bottom++;
    free.fill(0, Math.max(0, top - 1), bottom + 2);
    const outer = Math.min(row, height - 1 - row) < BORDER_ZONE * height && scores[row] >= BORDER_STRENGTH;
    if (bottom + 1 - top <= Math.max(6, Math.floor(height / (outer ? 10 : 40)))) peaks.push([top, bottom + 1]);
  }
}

// Empty the rows of a line, but where a stroke crosses it.
function eraseLine({ height, width, data }, { middle, reach }) {
  const at = (row, x) => data[clamp(row, 0, height - 1) * width + x];
  const widest = (row) => middle.map((_, x) => {
    let most = 0;
    for (let near = Math.max(0, x - reach); near <= Math.min(width - 1, x + reach); near++) most = Math.max(most, at(row(middle[near]), near));
    return most;
  });
  const above = widest((row) => row - reach - 1), below = widest((row) => row + reach + 1);
  const strength = median(middle.map((row, x) => at(row, x))), cleaned = data.slice();
  middle.forEach((row, x) => {
    for (let y = Math.max(0, row - reach); y <= Math.min(height - 1, row + reach); y++) {
      const here = data[y * width + x];
      cleaned[y * width + x] = here > 1.6 * strength + 0.05 ? here : Math.min(here, above[x], below[x]);
    }
  });
  return cleaned;
}

export { removeLines };
