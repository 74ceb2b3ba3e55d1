// Part 7: six steps, each with a view, a chapter to read on, and a question whose answer is checked.
import { el, fill, uniqueId } from "./dom.js";

const SUMS = ["conv", "linear"];

// What the answer to each step's question must be, from what the page shows: true, false, or the name of a text that says what is
// missing. value is the number that was typed, or the index of the option that was chosen.
const CHECKS = {
  weight: ({ explained }, value) => (SUMS.includes(explained?.type) ? near(value, explained.bias, 0.0006) : "choose_unit"),
  layer: ({ network }, value) => {
    const first = network.layers.find(({ type }) => SUMS.includes(type));
    return value === first.weight.length / first.outputs;
  },
  probability: ({ answer }, value) => (answer ? near(value, 100 * answer.probabilities[answer.best], 0.6) : "draw"),
  error: (lesson, value) => value === 0,
  step: ({ answer, label, isChanged, lastStep, networks, image, tools }) => {
    if (!answer || label === null) return "draw";
    if (tools.answerTo(networks[0], image).best === label) return "choose_mistake";
    return isChanged && lastStep?.label === label && answer.best === label;
  },
  failure: ({ path, label }, value) => (!path?.arrived || (label !== null && path.target !== label) ? "push" : value === path.steps),
};

// What is set up when a step is opened.
const PREPARED = {
  async step(lesson) { if (hasMistakes(lesson)) await lesson.showNext("mistakes"); },
  async failure(lesson) {
    if (lesson.isChanged) lesson.setNetwork(lesson.networks[0]);
    if (hasMistakes(lesson)) await lesson.showNext("mistakes");
  },
};

const hasMistakes = (lesson) => lesson.parts.mistakes?.labels.shape[0] > 0;
const near = (value, expected, tolerance) => Math.abs(value - expected) <= tolerance;
const parsed = (text) => (text.trim() === "" ? NaN : Number(text.trim().replace("\u2212", "-").replace(",", ".").replace("%", "")));

export function mountGuide(container, lesson) {
  const texts = lesson.texts.guide, done = new Set(), hasKernels = lesson.network.layers.some(({ type }) => type === "conv");
  const body = el("div", { id: "step-body" }), toggle = el("button", { type: "button", class: "inline", id: "guide-toggle", "aria-expanded": true, "aria-controls": "step-body", onclick: fold }, texts.hide);
  const title = el("h2", { tabindex: -1 });
  container.append(el("div", { class: "guide-head" }, title, toggle), body);
  let at = 0;

  function fold() {
    body.hidden = !body.hidden;
    toggle.setAttribute("aria-expanded", !body.hidden);
    toggle.textContent = body.hidden ? texts.show : texts.hide;
  }

  // Steps that are about kernels have another wording, and another chapter, for a network without any.
  function wording(step) { return hasKernels || !step.without_kernels ? step : { ...step, ...step.without_kernels }; }

  function question(step) {
    const feedback = el("p", { class: "feedback", role: "status" }), id = uniqueId("question");
    const field = { choice: choiceField, number: numberField, task: () => null }[step.kind]?.(step, id);
    function check(event) {
      event.preventDefault();
      const result = CHECKS[step.id](lesson, field ? field.value() : null);
      const isRight = result === true;
      if (isRight) done.add(step.id);
      feedback.className = `feedback ${isRight ? "right" : "wrong"}`;
      feedback.textContent = isRight ? step.right : typeof result === "string" ? texts.missing[result] : step.wrong;
      showProgress();
    }
    const ask = el("button", { type: "submit", class: "inline" }, step.kind === "task" ? texts.check_task : texts.check);
    return el("form", { class: "question", onsubmit: check, novalidate: true }, ...(field ? field.elements : [el("p", {}, step.question)]), ask, feedback);
  }

  const progress = el("p", { class: "note", id: "progress" });
  function showProgress() { progress.textContent = fill(texts.progress, { done: done.size, count: texts.steps.length }); }

  function open(to, isAsked = true) {
    at = to;
    const step = wording(texts.steps[at]);
    title.textContent = fill(texts.heading, { at: at + 1, count: texts.steps.length, title: step.title });
    const previous = el("button", { type: "button", class: "inline", disabled: at === 0, onclick: () => open(at - 1) }, texts.previous);
    const next = el("button", { type: "button", class: "inline", id: "next", disabled: at === texts.steps.length - 1, onclick: () => open(at + 1) }, texts.next);
    body.replaceChildren(...step.text.map((each) => el("p", {}, each)), question(step), el("div", { class: "row" }, previous, next, progress),
      el("p", { class: "note" }, fill(texts.read_on, { chapter: step.chapter, chapter_title: step.chapter_title })));
    showProgress();
    lesson.step = step.id;
    if (!isAsked) return;
    lesson.open(step.view);
    PREPARED[step.id]?.(lesson);
    title.focus();
  }
  open(0, false);
}

function choiceField(step, name) {
  const options = step.options.map((text, i) => {
    const input = el("input", { type: "radio", name, value: i, id: `${name}-${i}` });
    return { input, row: el("div", { class: "option" }, input, el("label", { for: input.id }, text)) };
  });
  const chosen = () => options.findIndex(({ input }) => input.checked);
  return { elements: [el("fieldset", {}, el("legend", {}, step.question), ...options.map(({ row }) => row))], value: chosen };
}

function numberField(step, id) {
  const input = el("input", { type: "text", inputmode: "decimal", autocomplete: "off", size: 8, id });
  return { elements: [el("label", { for: id }, step.question), input], value: () => parsed(input.value) };
}
