// View 2: why this answer: logits to probabilities, what counts, what is similar, what would change it.
import { answerView } from "./answer_view.js";
import { el, fill, inPortions, labelled, number, percent, scrolling } from "./dom.js";
import { FeatureIndex, Path, featuresOf, occlusion, saliency } from "./evidence.js";
import { imageAt } from "./forward.js";
import { largest, paintGrey, paintSigned } from "./paint.js";

export const id = "why";
export const available = () => true;
const PAUSE = 250, NEAREST = 8, STEP_LENGTH = 0.25, MOST_STEPS = 80;

const square = (name) => el("canvas", { width: 28, height: 28, role: "img", "aria-label": name });
const figure = (name, canvas, note = el("span")) => el("figure", {}, canvas, el("figcaption", {}, name, " ", note));

export function mount(container, lesson) {
  const texts = lesson.texts.views.why, sections = [softmaxSection, mapsSection, nearestSection, pathSection].map((make) => make(lesson, texts));
  const quick = () => { for (const section of sections) section.quick?.(); };
  const slow = () => { for (const section of sections) section.slow?.(); };
  return answerView(container, lesson, { hint: texts.empty, sections, pause: PAUSE, quick, slow });
}

function softmaxSection(lesson, texts) {
  const rows = lesson.classNames.map((name) => ({ head: el("th", { scope: "row" }, name), cells: [el("td"), el("td"), el("td"), el("td")] }));
  const head = el("tr", {}, ...texts.columns.map((name) => el("th", { scope: "col" }, name))), sum = el("td", { id: "sum-of-powers" });
  const body = rows.map(({ head: name, cells }) => el("tr", {}, name, ...cells));
  const table = el("table", { class: "terms", id: "softmax" }, el("caption", {}, texts.softmax_caption), el("thead", {}, head), el("tbody", {}, ...body),
    el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, texts.total), el("td"), el("td"), sum, el("td", {}, "100 %"))));
  const element = el("section", { class: "part" }, el("h2", {}, texts.softmax), el("p", { class: "note" }, texts.softmax_about), scrolling(texts.softmax_caption, table));
  function quick() {
    const { logits, probabilities, best } = lesson.answer, most = logits[best];
    const powers = logits.map((logit) => Math.exp(logit - most));
    rows.forEach(({ cells }, i) => {
      body[i].classList.toggle("best", i === best);
      [number(logits[i]), number(logits[i] - most), number(powers[i], 4), percent(probabilities[i], 2)].forEach((text, k) => { cells[k].textContent = text; });
    });
    sum.textContent = number(powers.reduce((a, b) => a + b), 4);
  }
  return { element, quick };
}

function classSelect(lesson, text, changed, id = null) {
  const select = el("select", { id, onchange: changed }, ...lesson.classNames.map((name, i) => el("option", { value: i }, name)));
  return { select, row: el("div", { class: "row" }, ...labelled(text, select)) };
}

function mapsSection(lesson, texts) {
  let chosen = null, stop = () => {};
  const { select, row } = classSelect(lesson, texts.class, () => { chosen = Number(select.value); quick(); slow(); });
  const image = square(texts.image), product = square(texts.product), covered = square(texts.occlusion), scale = el("span"), drop = el("span");
  const element = el("section", { class: "part" }, el("h2", {}, texts.maps), el("p", { class: "note" }, texts.maps_about), row,
    el("div", { class: "pictures" }, figure(texts.image, image), figure(texts.product, product, scale), figure(texts.occlusion, covered, drop)));
  const label = () => chosen ?? lesson.answer.best;
  let shownFor = null;
  function quick() {
    if (shownFor !== lesson.image) chosen = null;  // A new image: its own answer is asked about.
    shownFor = lesson.image;
    select.value = label();
    paintGrey(image, lesson.image);
    const map = saliency(lesson.network, lesson.answer.values, label()).product;
    paintSigned(product, map);
    scale.textContent = `±${number(largest(map), 2)}`;
    stop();
    drop.textContent = "…";
  }
  function slow() {
    stop();
    const work = occlusion(lesson.network, lesson.image, label());
    stop = inPortions(work.step, () => {
      const map = work.map();
      lesson.occlusion = map;
      paintSigned(covered, map);
      drop.textContent = `±${number(largest(map), 2)}`;
    });
  }
  return { element, quick, slow };
}

function nearestSection(lesson, texts) {
  const list = el("ol", { class: "thumbs", id: "nearest" }), note = el("p", { class: "note" });
  const element = el("section", { class: "part" }, el("h2", {}, texts.nearest), el("p", { class: "note" }, texts.nearest_about), list, note);
  let index = null, stop = () => {};
  async function slow() {
    const { images, labels } = await lesson.part("neighbours");
    stop();
    if (index?.network !== lesson.network) index = new FeatureIndex(lesson.network, images.values, labels.values);
    const missing = index.features.length < index.labels.length;
    if (missing) note.textContent = texts.nearest_computing;
    stop = inPortions(() => index.step(), show);
  }
  function show() {
    if (!lesson.answer) return;
    const found = index.nearest(featuresOf(lesson.network, lesson.answer.values), NEAREST);
    lesson.nearest = found;
    list.replaceChildren(...found.map(({ i, label, distance }) => {
      const canvas = square(fill(texts.neighbour, { label: lesson.classNames[label], distance: number(distance, 2) }));
      paintGrey(canvas, imageAt(index.images, i));
      return el("li", {}, canvas, el("span", { "aria-hidden": "true" }, `${lesson.classNames[label]} · ${number(distance, 1)}`));
    }));
    note.textContent = fill(texts.nearest_votes, { same: found.filter(({ label }) => label === lesson.answer.best).length, count: found.length, name: lesson.classNames[lesson.answer.best] });
  }
  return { element, slow };
}

function pathSection(lesson, texts) {
  let path = null, stop = () => {};
  const { select, row } = classSelect(lesson, texts.target, reset, "target");
  const before = square(texts.before), change = square(texts.change), after = square(texts.after), scale = el("span"), note = el("p", { class: "note", id: "path", role: "status" });
  const once = el("button", { type: "button", onclick: () => { path.step(STEP_LENGTH); show(); } }, texts.one_step);
  const all = el("button", { type: "button", id: "until", onclick: run }, texts.until);
  const back = el("button", { type: "button", onclick: reset }, texts.reset);
  row.append(once, all, back);
  const element = el("section", { class: "part" }, el("h2", {}, texts.path), el("p", { class: "note" }, texts.path_about), row,
    el("div", { class: "pictures" }, figure(texts.before, before), figure(texts.change, change, scale), figure(texts.after, after)), note);
  function quick() {
    const { probabilities, best } = lesson.answer;
    const second = [...probabilities.keys()].filter((i) => i !== best).reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
    [...select.options].forEach((option, i) => { option.disabled = i === best; });
    select.value = second;
    reset();
  }
  function reset() {
    stop();
    path = new Path(lesson.network, lesson.image, Number(select.value));
    show();
  }
  function run() {
    stop();
    stop = inPortions(() => { if (!path.arrived && path.steps < MOST_STEPS) path.step(STEP_LENGTH); return path.arrived || path.steps >= MOST_STEPS; }, show);
  }
  function show() {
    const { best, probabilities } = path.answer, changed = path.change;
    lesson.path = path;
    paintGrey(before, path.start);
    paintGrey(after, path.image);
    paintSigned(change, changed);
    scale.textContent = path.steps ? `±${number(largest(changed), 2)}` : "";
    const values = { steps: path.steps, name: lesson.classNames[best], share: percent(probabilities[best]), target: lesson.classNames[path.target],
      target_share: percent(probabilities[path.target]), most: number(largest(changed), 2), length: number(Math.hypot(...changed), 2), whole: number(Math.hypot(...path.start), 1) };
    note.textContent = fill(path.steps === 0 ? texts.path_start : path.arrived ? texts.path_arrived : texts.path_under_way, values);
  }
  return { element, quick };
}
