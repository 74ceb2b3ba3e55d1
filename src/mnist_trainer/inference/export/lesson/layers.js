// View 1: all layers while drawing; pointing at a unit writes its sum out.
import { Atlas } from "./atlas.js";
import { el, fill, number, setText } from "./dom.js";
import { explain, followed } from "./explain.js";
import { onTheme } from "./paint.js";
import { mountSum } from "./sum.js";
import { trace } from "./forward.js";

export const id = "layers";
export const available = () => true;
const NUMBERS_AFTER = 150, ALL_AFTER = 500;
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown"];

export function captionOf(lesson, i, shapes) {
  const step = lesson.network.steps[i], texts = lesson.texts.views.layers, { channels, height, width } = shapes[i + 1];
  const shape = height * width === 1 ? fill(texts.units, { channels }) : fill(texts.maps, { channels, height, width });
  const values = { ...step, kh: step.kernel?.[0], kw: step.kernel?.[1], inputs: shapes[i].data.length, maps: shapes[i].channels, what: texts.functions[step.function] ?? step.function };
  const name = step.type === "pool" ? (step.average ? "mean" : "max") : step.type === "conv" && values.maps === 1 ? "conv_one" : step.type;
  return { title: fill(texts.types[name], values), shape, name: step.name ?? "" };
}

// What the weights of a step meet before it was flattened.
export function sourceShape(network, values, i) {
  return network.steps[i - 1]?.type === "flatten" ? values[i - 1] : values[i];
}

export function mount(container, lesson) {
  const texts = lesson.texts.views.layers, blank = trace(lesson.network, new Uint8Array(784));
  const sum = mountSum(lesson), rows = [];
  container.append(el("p", { class: "note" }, texts.about), sum.element);
  const list = el("div", { class: "layers" });
  container.append(list);
  let selected = null, width = 0;

  function build() {
    list.replaceChildren();
    sight.disconnect();
    rows.length = 0;
    width = container.clientWidth;
    const room = Math.max(240, container.clientWidth - 36);
    lesson.network.steps.forEach((step, i) => {
      if (step.type === "flatten") return;
      const { title, shape, name } = captionOf(lesson, i, blank);
      const atlas = new Atlas(step, blank[i + 1], sourceShape(lesson.network, blank, i), room, `${title}, ${shape}. ${texts.keys}`);
      const range = el("span", { class: "range" });
      const element = el("div", { class: "layer" }, el("h3", {}, title, " ", el("small", {}, shape, name ? ` · ${name} ` : " ", range)), el("div", { class: "box" }, atlas.element));
      const row = { i, step, atlas, range, element, isSeen: false, last: 0 };
      list.append(element);
      rows.push(row);
      listen(row);
      sight.observe(element);
    });
  }

  function listen(row) {
    const { atlas, i } = row;
    atlas.element.addEventListener("pointermove", (event) => {
      const box = atlas.element.getBoundingClientRect(), unit = atlas.unitAt(event.clientX - box.left, event.clientY - box.top);
      if (unit >= 0) select(i, unit);
    });
    atlas.element.addEventListener("pointerdown", () => atlas.canvas.focus());
    // The focus alone chooses nothing: it also passes by on the way to somewhere else.
    atlas.canvas.addEventListener("keydown", (event) => {
      if (!KEYS.includes(event.key)) return;
      event.preventDefault();
      select(i, selected.i === i ? atlas.moved(selected.unit, event.key) : row.last);
    });
  }

  function select(i, unit) {
    if (selected?.i === i && selected.unit === unit) return;
    selected = { i, unit };
    rows.find((row) => row.i === i).last = unit;
    sum.forget();
    showSelected();
    lesson.say(sum.spoken());
  }

  function showSelected() {
    if (!selected) return;
    const { i, unit } = selected, values = currentValues();
    const explained = explain(lesson.network, values, i, unit);
    lesson.explained = { i, ...explained };
    sum.show(i, explained, followed(lesson.network, values, i, unit), values);
    outlineAll(i, explained);
  }

  function outlineAll(i, { place, window: area }) {
    for (const row of rows) row.atlas.mark.hidden = row.atlas.frame.hidden = true;
    const { atlas } = rows.find((row) => row.i === i);
    atlas.outline(atlas.mark, place.channel, place.y, place.x, 1, 1);
    const before = rows.filter((row) => row.i < i).at(-1);
    if (!area || !before) return;
    const channel = sum.channel() ?? place.channel;
    before.atlas.outline(before.atlas.frame, channel, area.top, area.left, area.height, area.width);
  }
  sum.onChannel(showSelected);

  // Layers out of sight are painted when they come into sight, or drawing has come to rest.
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const row = rows.find(({ element }) => element === target);
      if (!row) continue;
      row.isSeen = isIntersecting;
      if (isIntersecting) paint(row);
    }
  }, { rootMargin: "100px" });
  const currentValues = () => lesson.answer?.values ?? blank;
  function paint(row) {
    row.scale = row.atlas.paint(currentValues()[row.i + 1].data);
  }
  function paintWeights() {
    for (const { i, atlas } of rows) if (atlas.filter) atlas.paintFilters(lesson.network.steps[i].weight);
  }

  function showNumbers() {
    for (const { scale, range } of rows) if (scale !== undefined) setText(range, `±${number(scale, 2)}`);
    showSelected();
  }

  let later = 0, rest = 0;
  function update(change) {
    if (change === "open" && width !== container.clientWidth) build();
    if (change !== "image") paintWeights();
    for (const row of rows) if (row.isSeen || change !== "image") paint(row);
    clearTimeout(rest);
    rest = setTimeout(() => rows.forEach(paint), ALL_AFTER);
    if (change !== "image") showNumbers();
    // After a stroke the numbers follow a little later than the pictures: they are not on its way.
    else later ||= setTimeout(() => { later = 0; showNumbers(); }, NUMBERS_AFTER);
  }
  onTheme(() => update("network"));
  addEventListener("resize", () => { if (!container.hidden) update("open"); });
  update("open");
  const first = rows.find(({ step }) => step.weight) ?? rows[0], shape = blank[first.i + 1];
  select(first.i, Math.floor(shape.height / 2) * shape.width + Math.floor(shape.width / 2));
  return { update, select };
}
