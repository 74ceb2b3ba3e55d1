// Why a network answers as it does: occlusion, nearest images, a path to another answer.
import { backward, oneHot } from "./backward.js";
import { answerTo, imageAt, inputOf, logitsFor, trace } from "./forward.js";

export const PATCH = 4, STRIDE = 2, SIDE = 28;
const PLACES = (SIDE - PATCH) / STRIDE + 1;

// How much a logit falls when a square of PATCH pixels is blanked, every STRIDE pixels: step() does one square, map() is the
// mean over the squares that cover a pixel.
export function occlusion(network, image, label) {
  const whole = logitsFor(network, image)[label], sums = new Float64Array(SIDE * SIDE), counts = new Float64Array(SIDE * SIDE);
  let at = 0;
  function step() {
    if (at === PLACES * PLACES) return true;
    const top = STRIDE * Math.floor(at / PLACES), left = STRIDE * (at % PLACES), covered = image.slice();
    let ink = 0;
    for (let y = top; y < top + PATCH; y++)
      for (let x = left; x < left + PATCH; x++) { ink += image[y * SIDE + x]; covered[y * SIDE + x] = 0; }
    const drop = ink ? whole - logitsFor(network, covered)[label] : 0;
    for (let y = top; y < top + PATCH; y++) for (let x = left; x < left + PATCH; x++) { sums[y * SIDE + x] += drop; counts[y * SIDE + x]++; }
    at++;
    return at === PLACES * PLACES;
  }
  return { step, map: () => sums.map((sum, i) => sum / counts[i]) };
}

// The derivative of a logit by each pixel (0 to 1), and that times the pixel.
export function saliency(network, values, label) {
  const { values: [pixels] } = backward(network, values, oneHot(values.at(-1).data.length, label));
  return { gradient: pixels.data, product: pixels.data.map((g, i) => g * values[0].data[i]) };
}

// The input of the last linear layer: what the classes are told from.
export function featuresOf(network, values) {
  return values[network.steps.findLastIndex(({ type }) => type === "linear")].data;
}

// Features of many images, computed once for a network: step() does one image.
export class FeatureIndex {
  constructor(network, images, labels) {
    Object.assign(this, { network, images, labels, features: [] });
  }

  step() {
    if (this.features.length < this.labels.length) this.features.push(featuresOf(this.network, trace(this.network, imageAt(this.images, this.features.length))));
    return this.features.length === this.labels.length;
  }

  // The nearest by Euclidean distance: {i, label, distance}, the nearest first.
  nearest(features, count) {
    const found = this.features.map((other, i) => ({ i, label: this.labels[i], distance: Math.sqrt(other.reduce((sum, value, k) => sum + (value - features[k]) ** 2, 0)) }));
    return found.sort((a, b) => a.distance - b.distance).slice(0, count);
  }
}

// An image on its way to another class: each step goes `length` (Euclidean, pixels 0 to 1) along the gradient of the difference of
// two logits, and stays within 0 and 1.
export class Path {
  constructor(network, image, target) {
    Object.assign(this, { network, target, start: inputOf(image).data, image: inputOf(image).data, steps: 0 });
    this.from = answerTo(network, image).best;
  }

  get answer() { return answerTo(this.network, this.image); }

  get arrived() { return this.answer.best === this.target; }

  step(length) {
    const values = trace(this.network, this.image), count = values.at(-1).data.length;
    const towards = oneHot(count, this.target).map((one, i) => one - Number(i === this.from));
    const gradient = backward(this.network, values, towards).values[0].data, size = Math.hypot(...gradient);
    if (size > 0) this.image = this.image.map((level, i) => Math.min(1, Math.max(0, level + (length * gradient[i]) / size)));
    this.steps++;
  }

  get change() { return this.image.map((level, i) => level - this.start[i]); }
}
