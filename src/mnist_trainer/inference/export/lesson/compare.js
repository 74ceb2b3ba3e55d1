// Two networks on one stroke: what both read, how sure they are, and where they differ.
import { el, fill, inPortions, percent } from "./dom.js";
import { answerTo, imageAt } from "./forward.js";

export const id = "compare";

export const available = (lesson) => lesson.networks.length > 1;

export function mount(container, lesson) {
  const texts = lesson.texts.views.compare, letters = ["A", "B"];
  const columns = lesson.networks.slice(0, 2).map((network, i) => columnOf(network, letters[i], lesson, texts));
  const verdict = el("p", { id: "compare-verdict" }), table = el("div", { id: "compare-table" });
  const differ = el("button", { type: "button", id: "compare-differ", disabled: true, onclick: () => showNext() }, texts.show_differ);
  let held = null, differing = [], next = 0;

  const choice = letters.map((letter, i) => el("button", { type: "button", id: `compare-use-${letter}`, onclick: () => lesson.setNetwork(lesson.networks[i]) }, fill(texts.use, { letter })));
  container.append(
    el("p", {}, texts.about),
    el("div", { class: "pair" }, ...columns.map(({ section }) => section)),
    verdict,
    el("div", { class: "buttons" }, ...choice, differ),
    table,
  );
  lesson.part("held_out").then((part) => {
    held = part;
    let i = 0;
    const right = [];
    const count = part.labels.values.length;
    inPortions(() => {
      const answers = lesson.networks.slice(0, 2).map((network) => answerTo(network, imageAt(part.images.values, i)).best);
      right.push(answers.map((best) => best === part.labels.values[i]));
      if (answers[0] !== answers[1]) differing.push(i);
      return ++i === count;
    }, () => { table.append(tableOf(right, texts, part.split)); table.dataset.done = "yes"; differ.disabled = !differing.length; });
  });

  function showNext() {
    const i = differing[next++ % differing.length];
    lesson.showImage(imageAt(held.images.values, i).slice(), held.labels.values[i]);
  }

  return {
    update() {
      const answers = columns.map(({ show }) => show(lesson.image));
      const [a, b] = answers.map((answer) => answer && lesson.classNames[answer.best]);
      verdict.textContent = a === null ? texts.empty : fill(a === b ? texts.agree : texts.disagree, { a, b });
      choice.forEach((button, i) => button.setAttribute("aria-pressed", lesson.network === lesson.networks[i]));
    },
  };
}

function columnOf(network, letter, lesson, texts) {
  const read = el("div", { class: "read" }, "?"), { facts } = network, [low, high] = facts.test_interval;
  const rows = lesson.classNames.map((name) => {
    const bar = el("div", { class: "fill" }), share = el("td", { class: "share" });
    return { bar, share, row: el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, el("div", { class: "track" }, bar)), share) };
  });
  const told = fill(texts.facts, { ...facts, parameters: facts.parameters.toLocaleString("en"), accuracy: percent(facts.test_correct / facts.test_images, 2),
    low: percent(low, 2), high: percent(high, 2) });
  const section = el("section", { id: `compare-${letter}` },
    el("h3", {}, `${letter}: ${facts.model}`), el("p", { class: "note" }, told), read,
    el("table", { "aria-label": fill(texts.probabilities, { letter }) }, el("tbody", {}, ...rows.map(({ row }) => row))));
  function show(image) {
    const answer = image && answerTo(network, image);
    read.textContent = answer ? lesson.classNames[answer.best] : "?";
    rows.forEach(({ row, bar, share }, i) => {
      row.classList.toggle("best", i === answer?.best);
      bar.style.width = `${answer ? 100 * answer.probabilities[i] : 0}%`;
      share.textContent = answer ? percent(answer.probabilities[i]) : "";
    });
    return answer;
  }
  return { section, show };
}

// How often both are right, only one is, or neither.
function tableOf(right, texts, split) {
  const count = (a, b) => right.filter((each) => each[0] === a && each[1] === b).length;
  const row = (name, a) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, String(count(a, true))), el("td", {}, String(count(a, false))));
  return el("table", { class: "agreement" },
    el("caption", {}, fill(texts.table, { count: right.length, split: texts[split] })),
    el("thead", {}, el("tr", {}, el("td", {}), el("th", { scope: "col" }, texts.b_right), el("th", { scope: "col" }, texts.b_wrong))),
    el("tbody", {}, row(texts.a_right, true), row(texts.a_wrong, false)));
}
