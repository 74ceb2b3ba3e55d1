// Reverse-mode differentiation of the network, and the update of stochastic gradient descent.
import { patchesOf, sigmoid, softmax, tensor } from "../page/network.js";
import { withParameters } from "./forward.js";

const normal = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
const TANH_FACTOR = Math.sqrt(2 / Math.PI);

// The derivative of each activation at z, where its value is a.
export const DERIVATIVES = {
  relu: () => (z) => (z > 0 ? 1 : 0),
  leaky_relu: ({ slope }) => (z) => (z > 0 ? 1 : slope),
  sigmoid: () => (z, a) => a * (1 - a),
  tanh: () => (z, a) => 1 - a * a,
  gelu: () => (z, a) => (z === 0 ? 0.5 : a / z) + z * normal(z),
  gelu_tanh: () => (z) => {
    const t = Math.tanh(TANH_FACTOR * (z + 0.044715 * z ** 3));
    return (1 + t) / 2 + (z / 2) * (1 - t * t) * TANH_FACTOR * (1 + 3 * 0.044715 * z * z);
  },
  silu: () => (z) => sigmoid(z) * (1 + z * (1 - sigmoid(z))),
  softplus: ({ beta, threshold }) => (z) => (z * beta > threshold ? 1 : sigmoid(beta * z)),
  softsign: () => (z) => 1 / (1 + Math.abs(z)) ** 2,
  elu: ({ alpha }) => (z) => (z > 0 ? 1 : alpha * Math.exp(z)),
  erf: () => (z) => Math.exp((-Math.PI / 4) * z * z),
  algebraic: () => (z) => (1 + z * z) ** -1.5,
  arctan: () => (z) => 1 / (1 + ((Math.PI / 2) * z) ** 2),
  gd: () => (z) => 1 / Math.cosh((Math.PI / 2) * z),
};

// Each takes a step, its input and output, and the gradient of the output; it gives the gradient of the input (a tensor), and of
// the step's parameters where it has some.
const BACKWARD = {
  map(layer, input, output, gradient) {
    const derivative = DERIVATIVES[layer.function](layer);
    return { input: like(input, gradient.map((g, i) => (g === 0 ? 0 : g * derivative(input.data[i], output.data[i])))) };
  },
  affine: (layer, input, output, gradient) => ({ input: like(input, gradient.map((g) => g / layer.std)) }),
  crop(layer, input, output, gradient) {
    const { channels, height, width } = input, size = layer.size;
    const top = Math.floor((height - size) / 2), left = Math.floor((width - size) / 2), whole = tensor(channels, height, width);
    for (let c = 0, i = 0; c < channels; c++)
      for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) whole.data[(c * height + top + y) * width + left + x] = gradient[i++];
    return { input: whole };
  },
  flatten: (layer, input, output, gradient) => ({ input: like(input, gradient) }),
  linear(layer, input, output, gradient) {
    const size = input.data.length, back = tensor(size, 1, 1), weight = new Float64Array(layer.weight.length);
    for (let o = 0; o < gradient.length; o++) {
      const g = gradient[o], row = o * size;
      if (g === 0) continue;
      for (let i = 0; i < size; i++) {
        back.data[i] += g * layer.weight[row + i];
        weight[row + i] = g * input.data[i];
      }
    }
    return { input: like(input, back.data), weight, bias: layer.bias && gradient.slice() };
  },
  batch_norm(layer, input, output, gradient) {
    const size = input.height * input.width, back = new Float64Array(gradient.length);
    const weight = new Float64Array(input.channels), bias = new Float64Array(input.channels);
    for (let c = 0, i = 0; c < input.channels; c++)
      for (const end = i + size; i < end; i++) {
        weight[c] += (gradient[i] * (input.data[i] - layer.mean[c])) / layer.deviation[c];
        bias[c] += gradient[i];
        back[i] = (gradient[i] * (layer.weight ? layer.weight[c] : 1)) / layer.deviation[c];
      }
    return { input: like(input, back), weight: layer.weight && weight, bias: layer.bias && bias };
  },
  conv(layer, input, output, gradient) {
    const { patches, rows, columns } = patchesOf(layer, input), positions = rows * columns, size = patches.length / positions;
    const weight = new Float64Array(layer.weight.length), bias = new Float64Array(layer.outputs), back = new Float64Array(patches.length);
    for (let o = 0; o < layer.outputs; o++)
      for (let p = 0; p < positions; p++) {
        const g = gradient[o * positions + p];
        if (g === 0) continue;
        bias[o] += g;
        for (let k = 0, w = o * size, at = p * size; k < size; k++, w++, at++) {
          weight[w] += g * patches[at];
          back[at] += g * layer.weight[w];
        }
      }
    return { input: fromPatches(layer, input, rows, columns, back), weight, bias: layer.bias && bias };
  },
  pool(layer, input, output, gradient) {
    const [kh, kw] = layer.kernel, [sy, sx] = layer.stride, { channels, height, width, data } = input;
    const back = tensor(channels, height, width);
    for (let c = 0, i = 0; c < channels; c++)
      for (let y = 0; y < output.height; y++)
        for (let x = 0; x < output.width; x++, i++) {
          let most = -Infinity, at = 0;
          for (let ky = 0; ky < kh; ky++)
            for (let kx = 0; kx < kw; kx++) {
              const place = (c * height + y * sy + ky) * width + x * sx + kx;
              if (layer.average) back.data[place] += gradient[i] / (kh * kw);
              else if (data[place] > most) { most = data[place]; at = place; }
            }
          if (!layer.average) back.data[at] += gradient[i];
        }
    return { input: back };
  },
};

const like = (input, data) => ({ ...input, data });

function fromPatches(layer, { channels, height, width }, rows, columns, patches) {
  const [kh, kw] = layer.kernel, [sy, sx] = layer.stride, [py, px] = layer.padding, image = tensor(channels, height, width);
  let from = 0;
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let c = 0; c < channels; c++)
        for (let ky = 0; ky < kh; ky++) {
          const row = y * sy - py + ky;
          if (row < 0 || row >= height) { from += kw; continue; }
          for (let kx = 0; kx < kw; kx++, from++) {
            const column = x * sx - px + kx;
            if (column >= 0 && column < width) image.data[(c * height + row) * width + column] += patches[from];
          }
        }
  return image;
}

// Gradients of a function of the logits, whose own gradient is given: {values, parameters}. values[i] belongs to values[i] of the
// trace, so values[0] is that of the pixels (0 to 1); parameters is a Map of a layer to {weight, bias}.
export function backward(network, values, gradient) {
  const gradients = new Array(values.length), parameters = new Map();
  gradients[values.length - 1] = { ...values.at(-1), data: gradient };
  for (let i = network.steps.length - 1; i >= 0; i--) {
    const step = network.steps[i];
    const { input, weight, bias } = BACKWARD[step.type](step, values[i], values[i + 1], gradients[i + 1].data);
    gradients[i] = input;
    if (weight || bias) parameters.set(step, { weight, bias });
  }
  return { values: gradients, parameters };
}

// Of one logit: 1 for its class, 0 for the others.
export const oneHot = (count, label) => Float64Array.from({ length: count }, (_, i) => Number(i === label));

// Cross entropy of the logits with a label, and its gradient p - y.
export function crossEntropy(logits, label) {
  const p = softmax(logits), most = Math.max(...logits);
  const loss = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0)) + most - logits[label];
  return { loss, gradient: p.map((share, i) => share - Number(i === label)) };
}

// The network after one step against the gradient: each parameter minus rate times its derivative.
export function stepped(network, parameters, rate) {
  const byName = new Map([...parameters].map(([layer, gradients]) => [layer.name, gradients]));
  return withParameters(network, (values, { layer, kind }) => {
    const gradient = byName.get(layer.name)?.[kind];
    return gradient ? values.map((value, i) => value - rate * gradient[i]) : values;
  });
}
