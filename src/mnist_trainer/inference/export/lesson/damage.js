// Changes of a trained network and of its images: the same in Python, see docs/film.md.
import { parametersOf, withParameters } from "./forward.js";

// 32 random bits: the hash of a counter, a seed and a stream, as in data/corruptions/counter_rng.py.
export function randomBits(counter, seed, stream) {
  let x = (Math.imul(counter, 0x9e3779b1) + seed) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
  x = Math.imul(x ^ (x >>> 15) ^ stream, 0x31848bab) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}

// The number k of a stream of standard normal numbers (Box and Muller 1958).
export function randomNormal(k, seed, stream) {
  const radius = (randomBits(2 * k, seed, stream) + 1) / 2 ** 32, angle = randomBits(2 * k + 1, seed, stream) / 2 ** 32;
  return Math.sqrt(-2 * Math.log(radius)) * Math.cos(2 * Math.PI * angle);
}

// The weights of convolutions and linear layers, which are pruned, rounded and given noise.
const isWeight = ({ layer, kind }) => kind === "weight" && (layer.type === "conv" || layer.type === "linear");
export const weightsOf = (network) => parametersOf(network).filter(isWeight);

// The absolute values of all weights, sorted.
export function magnitudes(network) {
  const tensors = weightsOf(network), all = new Float64Array(tensors.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  for (const { values } of tensors) for (const value of values) all[at++] = Math.abs(value);
  return all.sort();
}

function deviation(values) {
  let sum = 0, squares = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return Math.sqrt(squares / values.length);
}

// Zero for the smallest weights, as many as `quota` says; of equal ones the first.
function pruned(values, threshold, quota) {
  return values.map((value) => {
    const size = Math.abs(value);
    if (size < threshold || (size === threshold && quota.equal-- > 0)) return 0;
    return value;
  });
}

// Whole multiples of one unit, of which there are 2^(bits - 1) - 1 on each side of zero.
function rounded(values, bits) {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const unit = most / (2 ** (bits - 1) - 1);
  return unit ? values.map((value) => Math.floor(value / unit + 0.5) * unit) : values;
}

// A copy of a network: biases dropped; a share of the weights pruned; the rest rounded to bits (0: not at all); then noise, as a
// multiple of the standard deviation that the weights of the same layer have in the given network.
export function damaged(network, { biases, prune, bits, noise, seed }, sorted = magnitudes(network)) {
  const count = Math.round(prune * sorted.length), threshold = count ? sorted[count - 1] : -1;
  const quota = { equal: count ? count - sorted.indexOf(threshold) : 0 };
  let stream = -1;
  return withParameters(network, (values, parameter) => {
    if (biases && parameter.kind === "bias") return new Float64Array(values.length);
    if (!isWeight(parameter)) return values;
    stream++;
    let changed = count ? pruned(values, threshold, quota) : values;
    if (bits) changed = rounded(changed, bits);
    if (!noise) return changed;
    const size = noise * deviation(values);
    return changed.map((value, k) => value + size * randomNormal(k, seed, stream));
  });
}

// The 28x28 bytes moved to the right and down; what comes in is black.
export function moved(image, right, down) {
  const result = new Uint8Array(784);
  for (let y = 0; y < 28; y++)
    for (let x = 0; x < 28; x++) {
      const row = y - down, column = x - right;
      if (row >= 0 && row < 28 && column >= 0 && column < 28) result[28 * y + x] = image[28 * row + column];
    }
  return result;
}

// The 95 % interval of a share (Wilson 1927).
export function interval(right, count) {
  const z = 1.959963984540054, share = right / count, scale = 1 + z ** 2 / count;
  const middle = share + z ** 2 / (2 * count), half = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}
