// The film of the training: snapshots on a logarithmic time scale, with a slider to move through them.
import { el, fill, labelled, number, percent } from "./dom.js";
import { largest, onTheme, paintSigned } from "./paint.js";
import { classColour, drawn, fitted, themeColour } from "./plot.js";

export const id = "film";

export const available = (lesson) => lesson.has("film");

const SECONDS = 0.7;  // A snapshot's time.
const MOVING = 0.6;   // The part of it in which points move to the next one.

const calm = matchMedia("(prefers-reduced-motion: reduce)");

export function mount(container, lesson) {
  const texts = lesson.texts.views.film;
  container.append(el("p", {}, texts.loading));
  let view = null;
  lesson.part("film").then((film) => { view = build(container, lesson, film); });
  return { update(change) { if (change === "open") view?.opened(); } };
}

function build(container, lesson, film) {
  const texts = lesson.texts.views.film, last = film.steps.length - 1, names = lesson.classNames;
  const count = film.labels.shape[0];
  let now = 0, start = 0, frame = 0;

  const points = el("canvas", { class: "plot", role: "img" }), matrix = el("canvas", { class: "plot", role: "img" });
  const curve = el("canvas", { class: "plot", role: "img" }), filters = filterGrid(film, texts);
  const slider = el("input", { type: "range", min: 0, max: last, step: 1, value: 0, id: "film-at", oninput: () => { pause(); show(Number(slider.value)); } });
  const alike = el("input", { type: "checkbox", id: "film-alike", onchange: () => show(now) });
  const play = el("button", { type: "button", id: "film-play", onclick: () => (frame ? pause() : run()) }, texts.play);
  const told = el("p", { id: "film-told" });

  function show(at) {
    now = at;
    const right = correctAt(film, at);
    const values = { step: film.steps[at].toLocaleString("en"), epoch: number(film.steps[at] / film.steps_per_epoch, 2), right, count,
      share: percent(right / count), loss: film.losses[at] === null ? "?" : number(film.losses[at]), number: at + 1, all: last + 1 };
    told.textContent = fill(texts.told, values);
    slider.value = at;
    slider.setAttribute("aria-valuetext", fill(texts.valuetext, values));
    points.setAttribute("aria-label", fill(texts.points_label, values));
    drawPoints(points, film, names, at, alike.checked);
    filters.paint(at);
    const worst = worstPair(film, at, names.length);
    matrix.setAttribute("aria-label", worst ? fill(texts.matrix_label, { ...worst, truth: names[worst.truth], read: names[worst.read] }) : texts.no_mistake);
    drawMatrix(matrix, film, names, at);
    drawCurve(curve, film, at, texts);
  }
  function run() {
    if (now === last) show(0);
    start = performance.now() - 1000 * SECONDS * now;
    play.textContent = texts.pause;
    frame = requestAnimationFrame(advance);
  }
  function advance(time) {
    if (container.hidden) { pause(); return; }
    const position = Math.max(0, (time - start) / (1000 * SECONDS)), at = Math.min(last, Math.floor(position));
    const moved = calm.matches || at === last ? 1 : Math.max(0, position - at - (1 - MOVING)) / MOVING;
    if (at !== now) show(at);
    if (at < last && moved > 0 && moved < 1) drawPoints(points, film, names, at, alike.checked, moved);
    if (at === last) { pause(); lesson.say(told.textContent); return; }
    frame = requestAnimationFrame(advance);
  }
  function pause() {
    cancelAnimationFrame(frame);
    frame = 0;
    play.textContent = texts.play;
  }

  curve.setAttribute("aria-label", fill(texts.curve_label, { first: number(film.losses[0]), last: number(film.losses[last]), share: percent(correctAt(film, last) / count) }));
  const split = texts[film.split], end = film.network_step === film.steps[last] ? texts.same : fill(texts.other, { step: film.network_step.toLocaleString("en") });
  const block = (title, ...children) => el("section", {}, el("h3", {}, title), ...children);
  container.replaceChildren(
    el("p", {}, fill(texts.about, { all: last + 1 })),
    el("div", { class: "player" }, play, ...labelled(texts.slider, slider)),
    told,
    el("div", { class: "plots" },
      block(texts.points, points, el("div", { class: "choice" }, ...labelled(texts.alike, alike)), el("p", { class: "note" }, fill(texts.points_note, { count, split, explained: percent(film.explained, 0) }))),
      block(texts.matrix, matrix, el("p", { class: "note" }, texts.matrix_note)),
      block(texts.curve, curve, el("p", { class: "note" }, fill(texts.curve_note, { count }))),
      block(texts.filters, filters.grid, el("p", { class: "note" }, fill(texts.filters_note, { units: film.filters.shape[1] })))),
    el("p", { class: "note" }, end),
  );
  for (const canvas of [points, matrix, curve]) drawn(canvas, () => show(now));
  onTheme(() => filters.paint(now));
  show(last);
  let isFirst = true;
  // Plays by itself the first time, unless the reader has asked for less motion.
  const opened = () => { if (isFirst && !calm.matches) { show(0); run(); } isFirst = false; };
  if (!container.hidden) opened();
  return { opened };
}

export function correctAt({ labels, predicted }, at) {
  const count = labels.shape[0];
  let right = 0;
  for (let i = 0; i < count; i++) right += predicted.values[at * count + i] === labels.values[i];
  return right;
}

// The first layer's weights as pictures, all snapshots in one scale of colours.
function filterGrid({ filters }, texts) {
  const [, units, height, width] = filters.shape, size = height * width, scale = largest(filters.values);
  const canvases = Array.from({ length: units }, (_, unit) => el("canvas", { width, height, class: "filter", role: "img", "aria-label": fill(texts.filter_label, { unit: unit + 1 }) }));
  const paint = (at) => canvases.forEach((canvas, unit) => {
    const first = (at * units + unit) * size;
    paintSigned(canvas, filters.values.subarray(first, first + size), scale);
  });
  return { grid: el("div", { class: units > 16 ? "filters many" : "filters" }, ...canvases), paint };
}

// Where the points of a snapshot are drawn, from -1 to 1: x, y, x, y... Enlarged so that they fill the map, or all snapshots alike.
function places({ points, centres, point_units: units }, at, isAlike) {
  const count = points.shape[1], result = new Float64Array(2 * count), first = 2 * count * at;
  const [x, y] = isAlike ? centres[at] : [0, 0], reach = isAlike ? largestReach({ centres, point_units: units }) : 32767 * units[at];
  for (let i = 0; i < count; i++) {
    result[2 * i] = (x + points.values[first + 2 * i] * units[at]) / reach;
    result[2 * i + 1] = (y + points.values[first + 2 * i + 1] * units[at]) / reach;
  }
  return result;
}

const largestReach = ({ centres, point_units: units }) => Math.max(...centres.map(([x, y], at) => Math.max(Math.abs(x), Math.abs(y)) + 32767 * units[at]));

// Points of a snapshot, on the way to the next by the part `moved`: full where the class is right, hollow where it is wrong.
function drawPoints(canvas, film, names, at, isAlike, moved = 0) {
  const { context, width, height } = fitted(canvas, (wide) => Math.min(wide, 420));
  const count = film.labels.shape[0], scale = Math.min(width, height) / 2 - 14;
  const here = places(film, at, isAlike), next = moved ? places(film, at + 1, isAlike) : here;
  const sums = names.map(() => [0, 0, 0]);
  for (let i = 0; i < count; i++) {
    const x = width / 2 + scale * (here[2 * i] * (1 - moved) + next[2 * i] * moved);
    const y = height / 2 - scale * (here[2 * i + 1] * (1 - moved) + next[2 * i + 1] * moved);
    const label = film.labels.values[i], sum = sums[label];
    sum[0] += x; sum[1] += y; sum[2] += 1;
    context.beginPath();
    context.arc(x, y, 3, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = classColour(label);
    if (film.predicted.values[at * count + i] === label) context.fill(); else context.stroke();
  }
  context.font = "700 16px system-ui, sans-serif";
  context.textAlign = "center";
  context.lineWidth = 4;
  sums.forEach(([x, y, many], label) => {
    if (!many) return;
    context.strokeStyle = themeColour("card");
    context.strokeText(names[label], x / many, y / many);
    context.fillStyle = themeColour("ink");
    context.fillText(names[label], x / many, y / many);
  });
}

function counts(film, at, size) {
  const count = film.labels.shape[0], table = new Int32Array(size * size);
  for (let i = 0; i < count; i++) table[film.labels.values[i] * size + film.predicted.values[at * count + i]]++;
  return table;
}

function worstPair(film, at, size) {
  const table = counts(film, at, size);
  let worst = null;
  table.forEach((times, i) => {
    const truth = Math.floor(i / size), read = i % size;
    if (truth !== read && times > (worst?.times ?? 0)) worst = { truth, read, times };
  });
  return worst;
}

// True classes in rows, predicted ones in columns.
function drawMatrix(canvas, film, names, at) {
  const size = names.length, table = counts(film, at, size);
  const { context, width, height } = fitted(canvas, (wide) => Math.min(wide, 420));
  const side = Math.min(width, height) / (size + 1), left = (width - side * (size + 1)) / 2;
  const most = table.reduce((a, b) => Math.max(a, b), 1);
  context.textAlign = "center";
  context.font = `${Math.max(7, Math.min(12, side * 0.45))}px system-ui, sans-serif`;
  const [ink, faint, accent] = ["ink", "faint", "accent"].map(themeColour);
  for (let row = 0; row < size; row++) {
    context.fillStyle = faint;
    context.fillText(names[row].slice(0, 3), left + side / 2, side * (row + 1.5));
    context.fillText(names[row].slice(0, 3), left + side * (row + 1.5), side / 2);
    for (let column = 0; column < size; column++) {
      const times = table[row * size + column], x = left + side * (column + 1), y = side * (row + 1);
      if (!times) continue;
      context.globalAlpha = 0.3 + 0.5 * (times / most);
      context.fillStyle = row === column ? accent : "#d2691e";
      context.fillRect(x + 1, y + 1, side - 2, side - 2);
      context.globalAlpha = 1;
      context.fillStyle = ink;
      context.fillText(times, x + side / 2, y + side / 2);
    }
  }
}

// Loss of the snapshots and of the training batches between them, by update, both axes logarithmic.
function drawCurve(canvas, film, at, texts) {
  const { context, width, height } = fitted(canvas, 220), left = 46, bottom = height - 34, top = 12, right = width - 12;
  const [ink, faint, line, accent] = ["ink", "faint", "line", "accent"].map(themeColour);
  const losses = [...film.losses, ...film.curve.map(([, loss]) => loss)].filter((loss) => loss > 0);
  const low = Math.log10(Math.min(...losses)), high = Math.max(low + 0.1, Math.log10(Math.max(...losses)));
  const end = Math.log10(1 + film.steps.at(-1)) || 1;
  const x = (step) => left + ((right - left) * Math.log10(1 + step)) / end;
  const y = (loss) => bottom - ((bottom - top) * (Math.log10(loss) - low)) / (high - low);
  context.strokeStyle = line;
  context.fillStyle = faint;
  context.textAlign = "right";
  for (let power = Math.ceil(low - 3); power <= high; power++)
    for (const digit of [1, 3]) {
      const loss = digit * 10 ** power;
      if (Math.log10(loss) < low || Math.log10(loss) > high) continue;
      context.beginPath(); context.moveTo(left, y(loss)); context.lineTo(right, y(loss)); context.stroke();
      context.fillText(String(Number(loss.toPrecision(1))), left - 6, y(loss));
    }
  context.textAlign = "center";
  for (let step = 1; step <= film.steps.at(-1); step *= 10) context.fillText(step.toLocaleString("en"), x(step), bottom + 10);
  context.fillText(texts.updates, (left + right) / 2, bottom + 25);
  const path = (points, colour, thick) => {
    context.strokeStyle = colour; context.lineWidth = thick;
    context.beginPath();
    points.forEach(([step, loss], i) => context[i ? "lineTo" : "moveTo"](x(step), y(loss)));
    context.stroke();
  };
  path(film.curve.filter(([, loss]) => loss > 0), faint, 1);
  const own = film.steps.map((step, i) => [step, film.losses[i]]).filter(([, loss]) => loss > 0);
  path(own, accent, 2);
  context.fillStyle = accent;
  for (const [step, loss] of own) { context.beginPath(); context.arc(x(step), y(loss), 2.5, 0, 2 * Math.PI); context.fill(); }
  context.strokeStyle = ink; context.lineWidth = 1;
  context.beginPath(); context.moveTo(x(film.steps[at]), top); context.lineTo(x(film.steps[at]), bottom); context.stroke();
}
