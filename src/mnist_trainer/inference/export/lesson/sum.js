// The sum of a unit, written out with its numbers.
import { el, fill, labelled, number } from "./dom.js";
import { paintSigned } from "./paint.js";

const MOST_TERMS = 8;

// A table of numbers that lie beside each other in an image.
function numbersTable(caption, values, width) {
  const rows = [];
  for (let from = 0; from < values.length; from += width) {
    const cells = Array.from(values.subarray(from, from + width), (value) => el("td", {}, number(value, 2)));
    rows.push(el("tr", {}, ...cells));
  }
  return el("table", { class: "numbers" }, el("caption", {}, caption), el("tbody", {}, ...rows));
}

export function mountSum(lesson) {
  const texts = lesson.texts.views.layers, element = el("section", { class: "sum", "aria-label": texts.sum, tabindex: 0 });
  let channel = null, spoken = "", onChannel = () => {};

  function lines(rows) {
    return el("table", { class: "equation" }, el("caption", { class: "spoken" }, texts.sum), el("tbody", {}, ...rows.filter(Boolean).map(([name, value, kind]) =>
      el("tr", { class: kind ?? "" }, el("th", { scope: "row" }, name), el("td", {}, typeof value === "number" ? number(value) : value)))));
  }

  const after = (chain) => chain.map(({ type, name, value, kept }) => [
    type === "max" ? (kept ? texts.max_kept : texts.max_lost) : type === "mean" ? texts.mean : type === "batch_norm" ? texts.normalised : fill(texts.activated, { name: texts.functions[name] ?? name }),
    value, "then"]);

  const WRITTEN = {
    conv(i, { parts, bias, hasBias, window: { width }, value }, chain) {
      channel ??= parts.reduce((best, part) => (Math.abs(part.sum) > Math.abs(best.sum) ? part : best)).channel;
      const shown = parts[channel], others = parts.reduce((sum, part) => sum + (part === shown ? 0 : part.sum), 0);
      return [
        parts.length > 1 ? chooser(parts) : null,
        el("div", { class: "products" }, numbersTable(texts.patch, shown.patch, width), el("span", { class: "sign" }, "×"), numbersTable(texts.kernel, shown.kernel, width),
          el("span", { class: "sign" }, "="), numbersTable(texts.products, shown.products, width)),
        lines([
          [parts.length > 1 ? fill(texts.sum_of_map, { channel }) : texts.sum_of_products, shown.sum],
          parts.length > 1 && [fill(texts.other_maps, { count: parts.length - 1 }), others],
          hasBias && [texts.bias, bias], [texts.unit, value, "total"], ...after(chain)]),
      ];
    },
    linear(i, { parts, bias, hasBias, value }, chain, values) {
      const shown = parts.slice(0, MOST_TERMS), rest = parts.slice(MOST_TERMS).reduce((sum, part) => sum + part.sum, 0);
      const header = el("tr", {}, ...[texts.input, texts.value, texts.weight, texts.product].map((name) => el("th", { scope: "col" }, name)));
      const rows = shown.map(({ index, x, weight, sum }) => el("tr", {}, el("th", { scope: "row" }, inputName(i, index, values)), ...[x, weight, sum].map((each) => el("td", {}, number(each)))));
      return [
        pictures(i, parts, values),
        el("div", { class: "products" }, el("table", { class: "terms" }, el("caption", {}, fill(texts.largest_products, { shown: shown.length, count: parts.length })), el("thead", {}, header), el("tbody", {}, ...rows))),
        lines([
          [fill(texts.sum_of_shown, { shown: shown.length }), shown.reduce((sum, part) => sum + part.sum, 0)],
          parts.length > shown.length && [fill(texts.sum_of_rest, { count: parts.length - shown.length }), rest],
          hasBias && [texts.bias, bias], [texts.unit, value, "total"], ...after(chain)]),
      ];
    },
    pool: (i, { patch, average, window: { width }, value }, chain) => [
      el("div", { class: "products" }, numbersTable(texts.window, patch, width)),
      lines([[average ? texts.mean : texts.largest, value, "total"], ...after(chain)])],
    batch_norm: (i, { x, mean, deviation, weight, bias, value }, chain) => [
      lines([[texts.input, x], [texts.minus_mean, -mean], [texts.by_deviation, deviation], [texts.times_weight, weight], [texts.plus_bias, bias], [texts.unit, value, "total"], ...after(chain)])],
    map: (i, { x, name, value }, chain) => [lines([[texts.input, x], [fill(texts.activated, { name: texts.functions[name] ?? name }), value, "total"], ...after(chain)])],
    affine: (i, { x, mean, deviation, value }) => [lines([[texts.pixel, x], [texts.minus_mean, -mean], [texts.by_deviation, deviation], [texts.unit, value, "total"]])],
    crop: (i, { value }) => [lines([[texts.cropped, value, "total"]])],
  };

  function chooser(parts) {
    const options = [...parts].sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum)).map((part) =>
      el("option", { value: part.channel, selected: part.channel === channel }, fill(texts.option, { channel: part.channel, sum: number(part.sum) })));
    const select = el("select", { onchange: () => { channel = Number(select.value); onChannel(); } }, ...options);
    return el("div", { class: "chooser" }, ...labelled(texts.input_map, select));
  }

  function inputName(i, index, values) {
    const source = lesson.network.steps[i - 1]?.type === "flatten" ? values[i - 1] : values[i], size = source.height * source.width;
    if (size === 1) return fill(texts.input_unit, { index });
    const place = { channel: Math.floor(index / size), y: Math.floor((index % size) / source.width), x: index % source.width };
    return fill(source.channels > 1 ? texts.input_place : texts.input_pixel, place);
  }

  // Inputs, weights and products of a unit that sees an image.
  function pictures(i, parts, values) {
    const source = lesson.network.steps[i - 1]?.type === "flatten" ? values[i - 1] : values[i];
    if (source.channels > 1 || source.height === 1) return null;
    const picture = (name, key) => {
      const canvas = el("canvas", { width: source.width, height: source.height, role: "img", "aria-label": name }), data = new Float64Array(parts.length);
      for (const part of parts) data[part.index] = part[key];
      paintSigned(canvas, data);
      return el("figure", {}, canvas, el("figcaption", {}, name));
    };
    return el("div", { class: "pictures" }, picture(texts.value, "x"), el("span", { class: "sign" }, "×"), picture(texts.weight, "weight"), el("span", { class: "sign" }, "="), picture(texts.product, "sum"));
  }

  function show(i, explained, chain, values) {
    const { place, type, value } = explained, step = lesson.network.steps[i], output = values[i + 1];
    const isLast = i === lesson.network.steps.length - 1;
    const name = isLast ? fill(texts.class_unit, { name: lesson.classNames[place.channel] })
      : output.height * output.width === 1 ? fill(texts.unit_of, { channel: place.channel }) : fill(texts.map_unit, place);
    spoken = `${name}: ${number(value)}`;
    const hadFocus = element.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
    element.replaceChildren(el("h3", {}, `${name} `, el("small", {}, step.name ?? "")), el("div", { class: "written" }, ...WRITTEN[type](i, explained, chain, values).filter(Boolean)));
    if (hadFocus) element.querySelector("select")?.focus();
  }

  return { element, show, spoken: () => spoken, channel: () => channel, forget: () => { channel = null; }, onChannel: (listener) => { onChannel = listener; } };
}
