// View 3: how it learns: p - y, the gradient of each layer, one step of stochastic gradient descent.
import { answerView } from "./answer_view.js";
import { Atlas } from "./atlas.js";
import { backward, crossEntropy, stepped } from "./backward.js";
import { el, fill, fixed, inPortions, labelled, number, percent, scrolling } from "./dom.js";
import { answerTo, countCorrect } from "./forward.js";
import { captionOf, sourceShape } from "./layers.js";
import { largest, paintSigned } from "./paint.js";

export const id = "learn";
export const available = () => true;
const PAUSE = 150, RATES = { least: -4, most: 1, step: 0.1, start: -3 };

const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const normOf = (gradients) => Math.hypot(...gradients.flatMap(({ weight, bias }) => [weight, bias]).filter(Boolean).map(norm));

export function mount(container, lesson) {
  const texts = lesson.texts.views.learn, state = { label: null, image: null, loss: null, gradients: null };
  const sections = [errorSection(lesson, texts, state, () => view.update()), stepSection(lesson, texts, state), gradientSection(lesson, texts, state)];
  function quick() {
    state.label = lesson.label ?? lesson.answer.best;
    state.gradients = null;
    Object.assign(state, crossEntropy(lesson.answer.logits, state.label));
    sections[0].show();
  }
  function slow() {  // The way back is not on the way of a stroke.
    state.gradients = backward(lesson.network, lesson.answer.values, state.gradient);
    state.norm = normOf([...state.gradients.parameters.values()]);
    lesson.learned = state;
    sections[1].show();
    sections[2].show();
  }
  const view = answerView(container, lesson, { hint: texts.empty, sections, pause: PAUSE, quick, slow });
  return view;
}

function errorSection(lesson, texts, state, update) {
  const select = el("select", { id: "label", onchange: () => lesson.setLabel(Number(select.value)) }, ...lesson.classNames.map((name, i) => el("option", { value: i }, name)));
  const bars = lesson.classNames.map(() => el("div", { class: "signed" })), cells = lesson.classNames.map(() => [el("td"), el("td"), el("td")]);
  const rows = lesson.classNames.map((name, i) => el("tr", {}, el("th", { scope: "row" }, name), ...cells[i], el("td", {}, el("div", { class: "axis", "aria-hidden": "true" }, bars[i]))));
  const head = el("tr", {}, ...texts.columns.map((name) => el("th", { scope: "col" }, name)), el("td"));
  const loss = el("p", { id: "loss" });
  const element = el("section", { class: "part" }, el("h2", {}, texts.error), el("p", { class: "note" }, texts.error_about), el("div", { class: "row" }, ...labelled(texts.label, select)),
    scrolling(texts.error_caption, el("table", { class: "terms", id: "error" }, el("caption", {}, texts.error_caption), el("thead", {}, head), el("tbody", {}, ...rows))), loss);
  function show() {
    const { probabilities } = lesson.answer;
    select.value = state.label;
    state.gradient.forEach((error, i) => {
      const y = Number(i === state.label);
      rows[i].classList.toggle("best", Boolean(y));
      [fixed(probabilities[i]), String(y), fixed(error)].forEach((text, k) => { cells[i][k].textContent = text; });
      bars[i].style.width = `${50 * Math.abs(error)}%`;
      bars[i].style.left = error < 0 ? `${50 - 50 * Math.abs(error)}%` : "50%";
      bars[i].classList.toggle("negative", error < 0);
    });
    loss.textContent = fill(texts.loss, { p: fixed(probabilities[state.label], 4), loss: fixed(state.loss, 4) });
  }
  return { element, show, update };
}

function stepSection(lesson, texts, state) {
  const rate = el("input", { type: "range", id: "rate", min: RATES.least, max: RATES.most, step: RATES.step, value: RATES.start, oninput: show });
  const shown = el("output", { for: "rate", id: "rate-shown" }), table = el("tbody"), note = el("p", { class: "note", id: "step-note", role: "status" });
  const take = el("button", { type: "button", id: "take", onclick: step }, texts.take), back = el("button", { type: "button", id: "set-back", onclick: setBack }, texts.set_back);
  const element = el("section", { class: "part" }, el("h2", {}, texts.step), el("p", { class: "note" }, texts.step_about), el("div", { class: "row" }, ...labelled(texts.rate, rate), shown, take, back),
    scrolling(texts.step_caption, el("table", { class: "terms", id: "step" }, el("caption", {}, texts.step_caption), el("thead", {}, el("tr", {}, el("td"), ...texts.before_after.map((name) => el("th", { scope: "col" }, name)))), table)), note);
  let taken = 0, stop = () => {};
  const chosen = () => 10 ** Number(rate.value);

  function show() {
    rate.setAttribute("aria-valuetext", number(chosen(), 4));
    shown.textContent = number(chosen(), 4);
    back.disabled = !lesson.isChanged;
    if (!lesson.isChanged) taken = 0;
    if (!state.gradients) return;
    const after = answerTo(stepped(lesson.network, state.gradients.parameters, chosen()), lesson.image), before = lesson.answer;
    const next = crossEntropy(after.logits, state.label).loss;
    lesson.preview = after;
    const row = (name, ...values) => el("tr", {}, el("th", { scope: "row" }, name), ...values.map((value) => el("td", {}, value)));
    table.replaceChildren(
      row(fill(texts.probability_of, { name: lesson.classNames[state.label] }), percent(before.probabilities[state.label], 2), percent(after.probabilities[state.label], 2)),
      row(texts.answer, lesson.classNames[before.best], lesson.classNames[after.best]),
      row(texts.loss_row, fixed(state.loss, 4), fixed(next, 4)),
      row(texts.expected, "", fixed(state.loss - chosen() * state.norm ** 2, 4)));
    count();
  }
  function step() {
    if (!state.gradients) return;
    taken++;
    lesson.lastStep = { rate: chosen(), before: lesson.answer.probabilities[state.label], label: state.label };
    lesson.setNetwork(stepped(lesson.network, state.gradients.parameters, chosen()));
    lesson.lastStep.after = lesson.answer.probabilities[state.label];
  }
  function setBack() {
    lesson.setNetwork(lesson.networks[0]);
    lesson.lastStep = null;
    document.getElementById("take").focus();
  }

  // How many of the built-in images the network gets right, as trained and now, counted between frames.
  const known = new WeakMap();
  async function count() {
    const { images, labels, split } = await lesson.part("held_out"), number = labels.values.length, waiting = [lesson.networks[0], lesson.network];
    let at = 0, correct = 0;
    stop();
    stop = inPortions(() => {
      while (waiting.length && known.has(waiting[0])) waiting.shift();
      if (!waiting.length) return true;
      correct += countCorrect(waiting[0], images.values, labels.values, at, at + 1);
      if (++at < number) return false;
      known.set(waiting.shift(), correct);
      at = correct = 0;
      return !waiting.length;
    }, () => {
      const values = { steps: taken, right: known.get(lesson.network), count: number, before: known.get(lesson.networks[0]), images: texts.images[split] };
      note.textContent = fill(lesson.isChanged ? texts.steps_taken : texts.as_trained, values);
    });
  }
  return { element, show };
}

function gradientSection(lesson, texts, state) {
  const pixels = el("canvas", { width: 28, height: 28, role: "img", "aria-label": texts.pixels }), list = el("div", { class: "layers" }), scale = el("span");
  const element = el("section", { class: "part" }, el("h2", {}, texts.gradients), el("p", { class: "note" }, texts.gradients_about), list,
    el("div", { class: "layer" }, el("h3", {}, texts.pixels, " ", el("small", {}, scale)), el("figure", {}, pixels)));
  let rows = null;
  function build() {
    const { values } = lesson.answer, room = Math.max(240, element.clientWidth - 4);
    rows = lesson.network.steps.map((step, i) => ({ step, i })).filter(({ step }) => step.weight).reverse().map(({ step, i }) => {
      const { title, shape, name } = captionOf(lesson, i, values), facts = el("small");
      const atlas = new Atlas(step, values[i + 1], sourceShape(lesson.network, values, i), room, title, false);
      list.append(el("div", { class: "layer" }, el("h3", {}, title, " ", facts), scrolling(title, atlas.element, "box")));
      return { i, name, shape, atlas, facts };
    });
  }
  function show() {
    if (!rows) build();
    const { values, parameters } = state.gradients;
    for (const { i, name, atlas, facts } of rows) {
      const step = lesson.network.steps[i], gradients = parameters.get(step);
      const most = atlas.paint(values[i + 1].data);
      if (gradients.weight) atlas.paintFilters(gradients.weight);
      facts.textContent = fill(texts.norms, { name, most: number(most, 4), norm: number(normOf([gradients]), 4), weights: number(normOf([step]), 2) });
    }
    paintSigned(pixels, values[0].data);
    scale.textContent = `±${number(largest(values[0].data), 4)}`;
  }
  return { element, show };
}
