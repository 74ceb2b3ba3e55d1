// Paper and shading taken away from a photograph: digit_images/remove_background.py, operation by operation.

const CELLS = 64, WIDEST_STROKE = 0.3, MEDIAN_WINDOW = 13;

const plane = (height, width) => ({ height, width, data: new Float64Array(height * width) });
const mapped = (image, change) => ({ ...image, data: image.data.map(change) });
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Three views of the ink: {neutral, coloured, strongest}, each {height, width, data, noise}.
function subtractBackground(channels) {
  const grey = mapped(channels[0], (value, i) => (value + channels[1].data[i] + channels[2].data[i]) / 3);
  const planes = isLightOnDark(grey) ? channels.map((each) => mapped(each, (value) => 255 - value)) : channels;
  const [red, green, blue] = planes.map(absorbance);
  const least = mapped(red, (value, i) => Math.min(value, green.data[i], blue.data[i]));
  const most = mapped(red, (value, i) => Math.max(value, green.data[i], blue.data[i]));
  return {
    neutral: measureInk(least),
    coloured: measureInk(mapped(most, (value, i) => value - least.data[i])),
    strongest: measureInk(most),
  };
}

function measureInk(image) {
  const smooth = Math.min(image.height, image.width) >= 150 ? binomial(image) : image;
  const empty = smooth.data.filter((value) => value < 0.15);
  const paper = empty.length > 0.2 * smooth.data.length ? empty : smooth.data;
  const middle = median(paper), grain = 1.4826 * median(paper.map((value) => Math.abs(value - middle)));
  return { ...mapped(smooth, (value) => clamp(value - middle, 0, 1)), noise: Math.max(grain, 1e-3) };
}

function binomial(image) {
  return filtered(filtered(image, 1, ([a, b, c]) => (a + 2 * b + c) / 4), 0, ([a, b, c]) => (a + 2 * b + c) / 4);
}

// A function of each pixel and its two neighbours along an axis; the edge is repeated.
function filtered(image, axis, combine) {
  const { height, width, data } = image, output = plane(height, width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [before, after] = axis
        ? [y * width + Math.max(x - 1, 0), y * width + Math.min(x + 1, width - 1)]
        : [Math.max(y - 1, 0) * width + x, Math.min(y + 1, height - 1) * width + x];
      output.data[y * width + x] = combine([data[before], data[y * width + x], data[after]]);
    }
  return output;
}

// Level of full ink: mean of the strongest thousandth of the pixels, away from the edges.
function levelOf({ height, width, data }) {
  let rim = Math.max(1, Math.floor(Math.min(height, width) / 50));
  if (Math.min(height, width) <= 3 * rim) rim = 0;
  const inner = data.filter((_, i) => {
    const y = Math.floor(i / width), x = i % width;
    return y >= rim && y < height - rim && x >= rim && x < width - rim;
  }).sort();
  const count = Math.max(4, Math.floor(inner.length / 1000)), used = Math.max(1, Math.floor((3 * count) / 4));
  const strongest = inner.slice(Math.max(0, inner.length - count)).slice(0, used);
  return strongest.reduce((a, b) => a + b, 0) / strongest.length;
}

function absorbance(image) {
  const paper = estimateBackground(image);
  return mapped(image, (value, i) => 1 - value / Math.max(paper.data[i], 20));
}

function estimateBackground(image) {
  const cells = blockMedians(image, CELLS), trend = quadraticBackground(cells);
  const window = Math.max(3, Math.floor(WIDEST_STROKE * Math.max(cells.height, cells.width)) | 1);
  let closed = mapped(cells, (value, i) => value - trend.data[i]);
  closed = windowed(windowed(closed, window, Math.max, -Infinity), window, Math.min, Infinity);
  for (let i = 0; i < 3; i++) closed = mapped(windowed(closed, 5, (a, b) => a + b, 0), (value) => value / 25);
  return upsampled(mapped(closed, (value, i) => value + trend.data[i]), image.height, image.width);
}

// A square window's maximum, minimum or sum, the edge repeated: along the rows, then along the columns.
function windowed(image, side, combine, start) {
  const { height, width } = image, reach = side >> 1;
  let current = image;
  for (const axis of [0, 1]) {
    const output = plane(height, width);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        let value = start;
        for (let step = -reach; step <= reach; step++) {
          const row = axis ? y : clamp(y + step, 0, height - 1), column = axis ? clamp(x + step, 0, width - 1) : x;
          value = combine(value, current.data[row * width + column]);
        }
        output.data[y * width + x] = value;
      }
    current = output;
  }
  return current;
}

function blockMedians(image, count) {
  const size = Math.max(1, Math.ceil(Math.max(image.height, image.width) / count));
  const cells = plane(Math.ceil(image.height / size), Math.ceil(image.width / size)), block = new Float64Array(size * size);
  for (let y = 0; y < cells.height; y++)
    for (let x = 0; x < cells.width; x++) {
      for (let i = 0; i < block.length; i++) {
        const row = Math.min(y * size + Math.floor(i / size), image.height - 1);
        block[i] = image.data[row * image.width + Math.min(x * size + (i % size), image.width - 1)];
      }
      cells.data[y * cells.width + x] = median(block);
    }
  return cells;
}

// Least squares, repeated with less weight for what lies far off; darker cells, which may be ink, count least.
function quadraticBackground(cells) {
  const { height, width, data } = cells, at = (i, side) => (side > 1 ? -1 + (2 * i) / (side - 1) : -1);
  const terms = Array.from(data, (_, i) => {
    const y = at(Math.floor(i / width), height), x = at(i % width, width);
    return [1, y, x, y * y, y * x, x * x];
  });
  let fit = new Float64Array(data.length).fill(median(data));
  for (let round = 0; round < 8; round++) {
    const off = data.map((value, i) => value - fit[i]), spread = 1.4826 * median(off.map(Math.abs)) + 0.5;
    const weight = off.map((value) => (value < -spread ? 0.3 : 1) / (1 + (value / spread) ** 2));
    const factors = leastSquares(terms, data, weight);
    fit = Float64Array.from(terms, (row) => row.reduce((sum, term, i) => sum + term * factors[i], 0));
  }
  return { ...cells, data: fit };
}

// The normal equations by elimination with pivots; a term that adds nothing (a picture of one row) gets 0.
function leastSquares(terms, values, weight) {
  const count = terms[0].length, table = Array.from({ length: count }, () => new Float64Array(count + 1));
  terms.forEach((row, i) => {
    for (let a = 0; a < count; a++) {
      for (let b = 0; b < count; b++) table[a][b] += weight[i] * row[a] * row[b];
      table[a][count] += weight[i] * row[a] * values[i];
    }
  });
  const least = 1e-9 * table[0][0];
  for (let a = 0; a < count; a++) {
    let best = a;
    for (let b = a + 1; b < count; b++) if (Math.abs(table[b][a]) > Math.abs(table[best][a])) best = b;
    [table[a], table[best]] = [table[best], table[a]];
    if (Math.abs(table[a][a]) < least) continue;
    for (let b = 0; b < count; b++) {
      if (b === a) continue;
      const share = table[b][a] / table[a][a];
      for (let c = a; c <= count; c++) table[b][c] -= share * table[a][c];
    }
  }
  return table.map((row, a) => (Math.abs(row[a]) < least ? 0 : row[count] / row[a]));
}

function isLightOnDark(grey) {
  const cells = blockMedians(grey, CELLS / 2), { height, width, data } = cells, reach = MEDIAN_WINDOW >> 1;
  // Mirrored at the edge, where there are cells enough; else the edge is repeated.
  const mirrors = Math.min(height, width) > reach;
  const inside = (i, side) => (mirrors ? (i < 0 ? -i : i >= side ? 2 * side - 2 - i : i) : clamp(i, 0, side - 1));
  const around = mapped(cells, (_, i) => {
    const y = Math.floor(i / width), x = i % width, near = [];
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) near.push(data[inside(y + dy, height) * width + inside(x + dx, width)]);
    return median(near);
  });
  const size = Math.max(1, Math.ceil(Math.max(grey.height, grey.width) / (CELLS / 2)));
  let sum = 0;
  for (let y = size; y < grey.height - size; y++)
    for (let x = size; x < grey.width - size; x++)
      sum += (grey.data[y * grey.width + x] - around.data[Math.floor(y / size) * width + Math.floor(x / size)]) ** 5;
  return sum > 0;
}

// Between the centres of the cells, linearly along both axes.
function upsampled(cells, height, width) {
  const size = Math.max(1, Math.ceil(Math.max(height, width) / CELLS)), output = plane(height, width);
  const place = (i, side) => {
    const at = clamp((i + 0.5) / size - 0.5, 0, side - 1), from = Math.min(Math.floor(at), Math.max(0, side - 2));
    return [from, Math.min(from + 1, side - 1), at - from];
  };
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = place(y, cells.height);
    for (let x = 0; x < width; x++) {
      const [left, right, across] = place(x, cells.width), at = (row, column) => cells.data[row * cells.width + column];
      output.data[y * width + x] = (1 - down) * ((1 - across) * at(top, left) + across * at(top, right))
        + down * ((1 - across) * at(bottom, left) + across * at(bottom, right));
    }
  }
  return output;
}

export { clamp, levelOf, mapped, median, plane, subtractBackground };
