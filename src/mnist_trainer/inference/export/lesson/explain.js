// One unit of a layer written out: what it is computed from, term by term.
import { scaleAndShift } from "../page/network.js";

// The place of a unit in its layer: {channel, y, x}.
export function placeOf({ height, width }, unit) {
  const size = height * width, channel = Math.floor(unit / size), rest = unit % size;
  return { channel, y: Math.floor(rest / width), x: rest % width };
}

const EXPLAINED = {
  conv: explainConvolution,
  linear: explainLinear,
  pool: explainPool,
  batch_norm(layer, input, unit) {
    const { channel } = placeOf(input, unit), { mean, deviation, weight, bias } = layer, x = input.data[unit];
    const { scale, shift } = scaleAndShift(layer, channel);
    return { x, mean: mean[channel], deviation: deviation[channel], weight: weight ? weight[channel] : 1, bias: bias ? bias[channel] : 0, value: x * scale + shift };
  },
  map: (layer, input, unit, output) => ({ x: input.data[unit], name: layer.function, value: output.data[unit] }),
  affine: (layer, input, unit, output) => ({ x: input.data[unit], mean: layer.mean, deviation: layer.std, value: output.data[unit] }),
  crop: (layer, input, unit, output) => ({ value: output.data[unit] }),
};

// Unit `unit` of the output of steps[i]: {type, place, value, …}. With sums: value = sum of parts + bias.
export function explain(network, values, i, unit) {
  const step = network.steps[i], input = values[i], output = values[i + 1];
  return { type: step.type, place: placeOf(output, unit), unit, ...EXPLAINED[step.type](step, input, unit, output) };
}

// parts: for each input map {channel, patch, kernel, products, sum}; window: where the patch lies in each map.
function explainConvolution(layer, input, unit, output) {
  const [kh, kw] = layer.kernel, { channel: o, y, x } = placeOf(output, unit), size = kh * kw;
  const top = y * layer.stride[0] - layer.padding[0], left = x * layer.stride[1] - layer.padding[1];
  const parts = [];
  for (let c = 0; c < input.channels; c++) {
    const patch = new Float64Array(size), kernel = layer.weight.slice((o * input.channels + c) * size, (o * input.channels + c + 1) * size);
    for (let ky = 0; ky < kh; ky++)
      for (let kx = 0; kx < kw; kx++) {
        const row = top + ky, column = left + kx;
        if (row >= 0 && row < input.height && column >= 0 && column < input.width)
          patch[ky * kw + kx] = input.data[(c * input.height + row) * input.width + column];
      }
    const products = patch.map((value, k) => value * kernel[k]);
    parts.push({ channel: c, patch, kernel, products, sum: products.reduce((a, b) => a + b, 0) });
  }
  const bias = layer.bias ? layer.bias[o] : 0;
  return { parts, bias, hasBias: Boolean(layer.bias), window: { top, left, height: kh, width: kw }, value: total(parts, bias) };
}

// parts: for each input {index, x, weight, sum}, the largest products first.
function explainLinear(layer, input, unit) {
  const size = input.data.length, parts = [];
  for (let i = 0; i < size; i++) {
    const x = input.data[i], weight = layer.weight[unit * size + i];
    parts.push({ index: i, x, weight, sum: x * weight });
  }
  const bias = layer.bias ? layer.bias[unit] : 0, value = total(parts, bias);
  parts.sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  return { parts, bias, hasBias: Boolean(layer.bias), value };
}

function explainPool(layer, input, unit, output) {
  const [kh, kw] = layer.kernel, { channel, y, x } = placeOf(output, unit), patch = new Float64Array(kh * kw);
  const top = y * layer.stride[0], left = x * layer.stride[1];
  for (let ky = 0; ky < kh; ky++)
    for (let kx = 0; kx < kw; kx++) patch[ky * kw + kx] = input.data[(channel * input.height + top + ky) * input.width + left + kx];
  return { patch, average: layer.average, window: { top, left, height: kh, width: kw }, value: output.data[unit] };
}

const total = (parts, bias) => parts.reduce((sum, part) => sum + part.sum, bias);

// What happens to a unit afterwards, through normalisation, activation and pooling: [{type, name, before, value, kept}].
export function followed(network, values, i, unit) {
  const chain = [];
  let at = unit;
  for (let j = i + 1; j < network.steps.length; j++) {
    const step = network.steps[j], input = values[j], output = values[j + 1], before = input.data[at];
    if (step.type === "pool") {
      const { channel, y, x } = placeOf(input, at), row = Math.floor(y / step.stride[0]), column = Math.floor(x / step.stride[1]);
      if (row >= output.height || column >= output.width) break;
      at = (channel * output.height + row) * output.width + column;
      chain.push({ type: step.average ? "mean" : "max", before, value: output.data[at], kept: output.data[at] === before });
    } else if (step.type === "map" || step.type === "batch_norm") {
      chain.push({ type: step.type, name: step.function, before, value: output.data[at] });
    } else break;
  }
  return chain;
}
