// The digit of a photograph as a network segments it: digit_images/segmentation_network.py, operation by operation.
import { plane } from "./background.js";
import { INK_THRESHOLD, MIN_PART, components, keepComponents } from "./candidates.js";
import { LAYERS, bytesOf, floatsOf, sigmoid, tensor } from "./network.js";
import { VISIBLE, place, reduced, resample } from "./placement.js";

const NETWORK_SIDE = 128, LEAST_COVERAGE = 0.5, MARGIN = 0.5, LARGE = 0.8, NETWORK_SCORE = 27, LEVEL = 4;

// The convolutions by name, from weights of 8 bits with a factor and a bias for each output channel.
function unpackSegmentation({ layers, weights, numbers }) {
  const whole = Int8Array.from(bytesOf(weights)), floats = floatsOf(numbers);
  let from = 0, at = 0;
  return Object.fromEntries(layers.map(({ name, outputs, inputs, kernel }) => {
    const size = inputs * kernel * kernel, factors = floats.subarray(at, at + outputs), bias = floats.subarray(at + outputs, at + 2 * outputs);
    const weight = Float64Array.from({ length: outputs * size }, (_, i) => Math.fround(whole[from + i] * factors[Math.floor(i / size)]));
    from += outputs * size;
    at += 2 * outputs;
    const around = (kernel - 1) / 2;
    return [name, { outputs, weight, bias, kernel: [kernel, kernel], padding: [around, around] }];
  }));
}

// How much of each pixel the digit covers: U-Net, each level with half the resolution of the one before.
function coverageOf(convolutions, input) {
  const convolved = (name, image, stride = 1) => LAYERS.conv({ ...convolutions[name], stride: [stride, stride] }, image);
  const relu = (image) => ({ ...image, data: image.data.map((value) => Math.max(value, 0)) });
  const levels = Object.keys(convolutions).filter((name) => name.startsWith("side")).length;
  const skipped = [relu(convolved("first", input))];
  for (let level = 1; level <= levels; level++) skipped.push(relu(convolved(`deep${level}`, relu(convolved(`down${level}`, skipped[level - 1], 2)))));
  let result = skipped[levels];
  for (let level = levels - 1; level >= 0; level--) {
    const coarse = convolved(`side${level}`, result), fine = skipped[level], { height, width } = fine;
    for (let i = 0; i < fine.data.length; i++) {
      const x = i % width, y = Math.floor(i / width) % height, channel = Math.floor(i / (height * width));
      fine.data[i] += coarse.data[(channel * coarse.height + (y >> 1)) * coarse.width + (x >> 1)];
    }
    result = relu(convolved(`up${level}`, fine));
  }
  return convolved("last", result).data.map(sigmoid);
}

// The digit of a photograph {image, score}; null where the network finds none.
function segmentByNetwork(convolutions, channels) {
  const whole = { top: 0, left: 0, bottom: channels[0].height, right: channels[0].width };
  const ink = digitIn(convolutions, channels, whole);
  if (!ink) return null;
  const closer = windowAround(whole, ink), inkCloser = closer && digitIn(convolutions, channels, closer);
  return { image: place(inkCloser ?? ink), score: NETWORK_SCORE };
}

// The coverage of the digit in a part of the photograph, without specks.
function digitIn(convolutions, channels, box) {
  const levels = channels.map((each) => cutOut(each, box)), { height, width } = levels[0];
  const covered = coverageOf(convolutions, standardized(levels)), inside = plane(height, width);
  inside.data.forEach((_, i) => { inside.data[i] = covered[Math.floor(i / width) * NETWORK_SIDE + (i % width)]; });
  if (!inside.data.some((value) => value >= LEAST_COVERAGE)) return null;
  const { labels, list } = components(inside, (value) => value >= INK_THRESHOLD);
  return keepComponents(inside, labels, list.filter((each) => each.area >= MIN_PART * list[0].area));
}

function cutOut(channel, { top, left, bottom, right }) {
  const part = plane(bottom - top, right - left), longer = Math.max(part.height, part.width);
  part.data.forEach((_, i) => { part.data[i] = channel.data[(top + Math.floor(i / part.width)) * channel.width + left + (i % part.width)]; });
  const fitted = (side) => Math.max(1, Math.floor((side * NETWORK_SIDE) / longer + 0.5));
  return resample(reduced(part, 2 * NETWORK_SIDE), fitted(part.height), fitted(part.width));
}

// Each channel of mean 0, all together of about unit variance; 0 below and right of what is not square.
function standardized(levels) {
  const { height, width } = levels[0], square = tensor(3, NETWORK_SIDE, NETWORK_SIDE);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = levels.map(({ data }) => { const middle = mean(data); return data.map((value) => value - middle); });
  const deviation = Math.sqrt(mean(centred.map((values) => mean(values.map((value) => value * value)))));
  centred.forEach((values, channel) => values.forEach((value, i) => {
    square.data[(channel * NETWORK_SIDE + Math.floor(i / width)) * NETWORK_SIDE + (i % width)] = Math.fround(value / (deviation + LEVEL));
  }));
  return square;
}

// The window for a closer look at the digit; null where it would show little more.
function windowAround(box, ink) {
  const longer = Math.max(box.bottom - box.top, box.right - box.left), scale = NETWORK_SIDE / longer, rows = [], columns = [];
  ink.data.forEach((value, i) => { if (value >= VISIBLE) { rows.push(Math.floor(i / ink.width)); columns.push(i % ink.width); } });
  const [low, high] = [(places) => Math.floor(Math.min(...places) / scale), (places) => Math.ceil((Math.max(...places) + 1) / scale)];
  const digit = { top: low(rows), left: low(columns), bottom: Math.min(high(rows), box.bottom), right: Math.min(high(columns), box.right) };
  const length = Math.floor(Math.max(digit.bottom - digit.top, digit.right - digit.left) * (1 + 2 * MARGIN));
  if (length >= LARGE * longer) return null;
  const top = Math.floor((digit.top + digit.bottom - length) / 2), left = Math.floor((digit.left + digit.right - length) / 2);
  return { top: Math.max(0, top), left: Math.max(0, left), bottom: Math.min(box.bottom, top + length), right: Math.min(box.right, left + length) };
}

export { segmentByNetwork, unpackSegmentation };
