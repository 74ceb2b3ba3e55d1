// The network, layer by layer, in plain loops. A tensor is {channels, height, width, data}.

const LEAST_SCORE = 1e-12;

// erf by the series of Abramowitz and Stegun 7.1.6 near 0 and the continued fraction 7.1.14 (Lentz) further out.
export function erf(z) {
  const x = Math.abs(z);
  let value;
  if (x < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 80; n++) { term *= (2 * x * x) / (2 * n + 1); sum += term; }
    value = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  } else {
    let fraction = x;
    for (let k = 60; k > 0; k--) fraction = x + k / 2 / fraction;
    value = 1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
  }
  return z < 0 ? -value : value;
}

export const sigmoid = (z) => 1 / (1 + Math.exp(-z));

export const FUNCTIONS = {
  relu: () => (z) => Math.max(z, 0),
  leaky_relu: ({ slope }) => (z) => (z >= 0 ? z : slope * z),
  sigmoid: () => sigmoid,
  tanh: () => Math.tanh,
  gelu: () => (z) => (z / 2) * (1 + erf(z / Math.SQRT2)),
  gelu_tanh: () => (z) => (z / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
  silu: () => (z) => z * sigmoid(z),
  softplus: ({ beta, threshold }) => (z) => (z * beta > threshold ? z : Math.log1p(Math.exp(z * beta)) / beta),
  softsign: () => (z) => z / (1 + Math.abs(z)),
  elu: ({ alpha }) => (z) => (z > 0 ? z : alpha * Math.expm1(z)),
  erf: () => (z) => erf((Math.sqrt(Math.PI) / 2) * z),
  algebraic: () => (z) => z / Math.sqrt(1 + z * z),
  arctan: () => (z) => (2 / Math.PI) * Math.atan((Math.PI / 2) * z),
  gd: () => (z) => (4 / Math.PI) * Math.atan(Math.tanh((Math.PI / 4) * z)),
};

export const LAYERS = {
  map: (layer, input) => ({ ...input, data: input.data.map(FUNCTIONS[layer.function](layer)) }),
  affine: (layer, input) => ({ ...input, data: input.data.map((value) => (value - layer.mean) / layer.std) }),
  crop(layer, { channels, height, width, data }) {
    const top = Math.floor((height - layer.size) / 2), left = Math.floor((width - layer.size) / 2);
    const output = tensor(channels, layer.size, layer.size);
    for (let c = 0, i = 0; c < channels; c++)
      for (let y = 0; y < layer.size; y++)
        for (let x = 0; x < layer.size; x++) output.data[i++] = data[(c * height + top + y) * width + left + x];
    return output;
  },
  flatten: (layer, { data }) => ({ channels: data.length, height: 1, width: 1, data }),
  linear(layer, { data }) {
    const output = tensor(layer.outputs, 1, 1);
    for (let o = 0; o < layer.outputs; o++) {
      let sum = layer.bias ? layer.bias[o] : 0;
      for (let i = 0; i < data.length; i++) sum += layer.weight[o * data.length + i] * data[i];
      output.data[o] = sum;
    }
    return output;
  },
  batch_norm(layer, input) {
    const size = input.height * input.width, output = tensor(input.channels, input.height, input.width);
    for (let c = 0, i = 0; c < input.channels; c++) {
      const { scale, shift } = scaleAndShift(layer, c);
      for (const end = i + size; i < end; i++) output.data[i] = input.data[i] * scale + shift;
    }
    return output;
  },
  conv(layer, input) {
    const { rows, columns, patches } = patchesOf(layer, input), output = tensor(layer.outputs, rows, columns);
    products(layer.weight, patches, layer.outputs, rows * columns, output.data);
    if (layer.bias) for (let o = 0, i = 0; o < layer.outputs; o++) for (const end = i + rows * columns; i < end; i++) output.data[i] += layer.bias[o];
    return output;
  },
  pool(layer, { channels, height, width, data }) {
    const [kh, kw] = layer.kernel, [sy, sx] = layer.stride;
    const rows = Math.floor((height - kh) / sy) + 1, columns = Math.floor((width - kw) / sx) + 1;
    const output = tensor(channels, rows, columns);
    for (let c = 0; c < channels; c++)
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < columns; x++) {
          let most = -Infinity, sum = 0;
          for (let ky = 0; ky < kh; ky++)
            for (let kx = 0; kx < kw; kx++) {
              const value = data[(c * height + y * sy + ky) * width + x * sx + kx];
              most = Math.max(most, value); sum += value;
            }
          output.data[(c * rows + y) * columns + x] = layer.average ? sum / (kh * kw) : most;
        }
    return output;
  },
};

// result[o, p] = the sum over k of weight[o, k] * patches[p, k], two outputs and four positions at a time: each number that is read
// takes part in several products.
function products(weight, patches, outputs, positions, result) {
  const size = patches.length / positions;
  for (let o = 0; o < outputs; o += 2) {
    // An odd last output is computed twice.
    const next = Math.min(o + 1, outputs - 1), first = o * size, second = next * size, to = o * positions, below = next * positions;
    let p = 0;
    for (; p + 3 < positions; p += 4) {
      const p0 = p * size, p1 = p0 + size, p2 = p1 + size, p3 = p2 + size;
      let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
      for (let k = 0; k < size; k++) {
        const v = weight[first + k], w = weight[second + k], x0 = patches[p0 + k], x1 = patches[p1 + k], x2 = patches[p2 + k], x3 = patches[p3 + k];
        a += v * x0; b += v * x1; c += v * x2; d += v * x3;
        e += w * x0; f += w * x1; g += w * x2; h += w * x3;
      }
      result[to + p] = a; result[to + p + 1] = b; result[to + p + 2] = c; result[to + p + 3] = d;
      result[below + p] = e; result[below + p + 1] = f; result[below + p + 2] = g; result[below + p + 3] = h;
    }
    for (; p < positions; p++) {
      let a = 0, e = 0;
      for (let k = 0; k < size; k++) { const x = patches[p * size + k]; a += weight[first + k] * x; e += weight[second + k] * x; }
      result[to + p] = a; result[below + p] = e;
    }
  }
}

export function tensor(channels, height, width) {
  return { channels, height, width, data: new Float64Array(channels * height * width) };
}

// The patches that a kernel meets, 0 where padding is: one row for each output position: channels, kernel rows, kernel columns, as the weights have them.
export function patchesOf(layer, { channels, height, width, data }) {
  const [kh, kw] = layer.kernel, [sy, sx] = layer.stride, [py, px] = layer.padding;
  const rows = Math.floor((height + 2 * py - kh) / sy) + 1, columns = Math.floor((width + 2 * px - kw) / sx) + 1;
  const patches = new Float64Array(rows * columns * channels * kh * kw);
  let to = 0;
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      for (let c = 0; c < channels; c++)
        for (let ky = 0; ky < kh; ky++) {
          const row = y * sy - py + ky;
          if (row < 0 || row >= height) { to += kw; continue; }
          for (let kx = 0; kx < kw; kx++, to++) {
            const column = x * sx - px + kx;
            if (column >= 0 && column < width) patches[to] = data[(c * height + row) * width + column];
          }
        }
  return { rows, columns, patches };
}

// Batch normalisation as one multiplication and one addition: (x - mean) / deviation * weight + bias.
export function scaleAndShift({ mean, deviation, weight, bias }, channel) {
  const scale = (weight ? weight[channel] : 1) / deviation[channel];
  return { scale, shift: (bias ? bias[channel] : 0) - mean[channel] * scale };
}

// Base64 of little-endian float32, and where in it the numbers of each layer are.
export function unpack(network) {
  return bind(network, floatsOf(network.weights));
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));

export function floatsOf(base64) {
  const bytes = bytesOf(base64), view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

// The numbers of each layer in place of where they are.
export function bind(network, numbers) {
  for (const layer of network.layers)
    for (const name of ["weight", "bias", "mean", "deviation"])
      if (layer[name]) layer[name] = Float64Array.from(numbers.subarray(layer[name][0], layer[name][0] + layer[name][1]));
  return network;
}

// Logits of one image of 28x28 bytes; of several shifted views the logarithm of their mean probability.
export function logitsOf(network, image) {
  let prepared = { channels: 1, height: 28, width: 28, data: Float64Array.from(image, (level) => level / 255) };
  for (const layer of network.transforms) prepared = LAYERS[layer.type](layer, prepared);
  const views = network.views.map((shift) => forward(network, shifted(prepared, shift)));
  if (views.length === 1) return views[0];
  const mean = new Float64Array(views[0].length);
  for (const view of views) softmax(view).forEach((share, i) => { mean[i] += share / views.length; });
  return mean.map((share) => Math.log(Math.max(share, 1.1754943508222875e-38)));
}

// The mean probability of several segmentations, as logits, and which speaks most for it: digit_images/segmentations.py, combine.
export function combine(logits, views) {
  if (logits.length === 1) return { best: 0, logits: logits[0] };
  const shares = logits.map(softmax), most = (numbers) => numbers.reduce((a, b) => Math.max(a, b));
  const weights = shares.map((each, view) => most(each) ** 2 * Math.cbrt(Math.max(views[view].score, LEAST_SCORE)));
  const total = weights.reduce((a, b) => a + b);
  const mean = shares[0].map((_, i) => shares.reduce((sum, each, view) => sum + weights[view] * each[i], 0) / total);
  const winner = mean.indexOf(most(mean));
  const support = shares.map((each, view) => weights[view] * each[winner]);
  return { best: support.indexOf(most(support)), logits: mean.map((share) => Math.log(Math.max(share, 1.1754943508222875e-38))) };
}

export function forward(network, input) {
  return network.layers.reduce((value, layer) => LAYERS[layer.type](layer, value), input).data;
}

export function shifted({ channels, height, width, data }, [down, right]) {
  const output = tensor(channels, height, width), within = (i, side) => Math.min(Math.max(i, 0), side - 1);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) output.data[y * width + x] = data[within(y + down, height) * width + within(x + right, width)];
  return output;
}

export function softmax(logits) {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = logits.map((logit) => Math.exp(logit - most)), sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}
