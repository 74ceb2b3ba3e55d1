// All units of a layer in one picture: maps beside the weights that make them, or a unit a square.
import { el } from "./dom.js";
import { largest, putSigned, signedColours } from "./paint.js";

const GAP = 4;

// How a layer is laid out. Sizes in screen pixels are multiples of both scales, so that each picture has whole pixels.
function layout({ channels, height, width }, filter, room) {
  const isVector = height * width === 1;
  const target = channels <= 12 ? 84 : channels <= 40 ? 60 : 44;
  const scale = isVector ? (channels <= 16 ? 24 : filter ? 8 : 12) : Math.max(1, Math.min(12, Math.round(target / height)));
  const filterScale = filter ? fitting(scale, (isVector ? 56 : 44) / Math.max(filter.height, filter.width)) : 1;
  const gap = isVector && !filter ? 0 : GAP, unit = Math.max(scale, filterScale);
  const up = (size) => Math.ceil(size / unit) * unit;
  const shift = filter ? up(width * scale + 3) : 0;
  const across = up(shift ? shift + filter.width * filterScale + 2 * gap : width * scale + gap);
  const down = up(Math.max(height * scale, filter ? filter.height * filterScale : 0) + gap);
  const columns = Math.max(1, Math.min(channels, Math.floor(room / across)));
  return { scale, filterScale, shift, across, down, columns, rows: Math.ceil(channels / columns) };
}

// The scale nearest to what is wanted among the divisors and the multiples of another.
function fitting(scale, wanted) {
  const options = Array.from({ length: 12 }, (_, i) => i + 1).filter((each) => each % scale === 0 || scale % each === 0);
  return options.reduce((best, each) => (Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best));
}

// The weights of a unit as one block: a kernel for each input map, side by side.
function filterShape(step, source) {
  if (step.type === "conv") return block(source.channels, ...step.kernel);
  if (step.type === "linear" && source.height * source.width > 1) return block(source.channels, source.height, source.width);
  return null;
}

function block(count, kh, kw) {
  const across = Math.ceil(Math.sqrt(count)), line = count > 1 ? 1 : 0;
  const height = Math.ceil(count / across) * (kh + line) - line, width = across * (kw + line) - line;
  return { count, across, kh, kw, line, height, width };
}

export class Atlas {
  // source: the shape of what the step's weights meet, before it was flattened.
  constructor(step, output, source, room, label, isPointedAt = true) {
    this.step = step;
    this.shape = output;
    this.filter = filterShape(step, source);
    this.place = layout(output, this.filter, room);
    const { across, down, columns, rows, scale, filterScale } = this.place;
    const [width, height] = [columns * across, rows * down];
    const canvas = (by, attributes) => {
      const made = el("canvas", { width: width / by, height: height / by, ...attributes });
      made.style.width = `${width}px`;
      made.style.height = `${height}px`;
      return made;
    };
    const role = isPointedAt ? { tabindex: 0, role: "application" } : { role: "img" };
    this.canvas = canvas(scale, { class: "maps", ...role, "aria-label": label });
    this.mark = el("div", { class: "mark", hidden: true });
    this.frame = el("div", { class: "source", hidden: true });
    this.element = el("div", { class: "atlas" }, this.mark, this.frame);
    this.element.style.width = `${width}px`;
    this.element.style.height = `${height}px`;
    if (this.filter) {
      this.filters = canvas(filterScale, { class: "kernels", "aria-hidden": "true" });
      this.element.prepend(this.filters);
    }
    this.element.prepend(this.canvas);
    this.context = this.canvas.getContext("2d");
    this.pixels = this.context.createImageData(this.canvas.width, this.canvas.height);
  }

  // Show the outputs of the layer; returns the largest absolute value, which has the full colour.
  paint(data, scale = largest(data)) {
    const { shape: { channels, height, width }, place: { across, down, columns, scale: zoom } } = this;
    const colours = signedColours(), stride = this.canvas.width, pixels = this.pixels.data;
    for (let c = 0, i = 0; c < channels; c++) {
      const left = ((c % columns) * across) / zoom, top = (Math.floor(c / columns) * down) / zoom;
      for (let y = 0; y < height; y++)
        for (let x = 0, at = 4 * ((top + y) * stride + left); x < width; x++, at += 4) putSigned(pixels, at, data[i++], scale || 1, colours);
    }
    this.context.putImageData(this.pixels, 0, 0);
    return scale;
  }

  // Show the weights of the layer, all with one scale.
  paintFilters(weights) {
    if (!this.filter) return;
    const { count, across: perRow, kh, kw, line } = this.filter, { across, down, columns, shift, filterScale: zoom } = this.place;
    const context = this.filters.getContext("2d"), picture = context.createImageData(this.filters.width, this.filters.height);
    const colours = signedColours(), scale = largest(weights) || 1, stride = this.filters.width;
    for (let o = 0, i = 0; o < this.shape.channels; o++) {
      const left = ((o % columns) * across + shift) / zoom, top = (Math.floor(o / columns) * down) / zoom;
      for (let k = 0; k < count; k++) {
        const corner = (top + Math.floor(k / perRow) * (kh + line)) * stride + left + (k % perRow) * (kw + line);
        for (let y = 0; y < kh; y++) for (let x = 0; x < kw; x++) putSigned(picture.data, 4 * (corner + y * stride + x), weights[i++], scale, colours);
      }
    }
    context.putImageData(picture, 0, 0);
  }

  // The unit at a place of the element, in pixels; -1 between units. A filter stands for the middle unit of its map.
  unitAt(x, y) {
    const { across, down, columns, scale, shift } = this.place, { channels, height, width } = this.shape;
    const channel = Math.floor(y / down) * columns + Math.floor(x / across);
    const [right, below] = [x % across, y % down];
    if (channel >= channels || x >= columns * across) return -1;
    const size = height * width, row = Math.floor(below / scale), column = Math.floor(right / scale);
    if (row < height && column < width) return channel * size + row * width + column;
    return shift && right >= shift ? channel * size + Math.floor(height / 2) * width + Math.floor(width / 2) : -1;
  }

  // Move an outline around part of a map.
  outline(element, channel, top, left, rows, columns) {
    const { across, down, columns: perRow, scale } = this.place, { height, width } = this.shape;
    const [y, x] = [Math.max(0, top), Math.max(0, left)];
    element.style.left = `${(channel % perRow) * across + x * scale}px`;
    element.style.top = `${Math.floor(channel / perRow) * down + y * scale}px`;
    element.style.width = `${(Math.min(width, left + columns) - x) * scale}px`;
    element.style.height = `${(Math.min(height, top + rows) - y) * scale}px`;
    element.hidden = false;
  }

  // The unit that a key leads to from another; the same for keys that do not move.
  moved(unit, key) {
    const { channels, height, width } = this.shape, size = height * width, { columns } = this.place;
    const channel = Math.floor(unit / size), y = Math.floor((unit % size) / width), x = unit % width;
    const within = (value, count) => Math.max(0, Math.min(count - 1, value));
    if (size === 1) {
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns, PageDown: columns }[key] ?? 0;
      return channel + by >= 0 && channel + by < channels ? channel + by : channel;
    }
    const by = { ArrowLeft: [0, 0, -1], ArrowRight: [0, 0, 1], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0], PageUp: [-1, 0, 0], PageDown: [1, 0, 0] }[key] ?? [0, 0, 0];
    return within(channel + by[0], channels) * size + within(y + by[1], height) * width + within(x + by[2], width);
  }
}
