// A view of an answer: a hint until there is one; quick parts follow each stroke, slow ones wait until drawing pauses.
import { el } from "./dom.js";
import { onTheme } from "./paint.js";

export function answerView(container, lesson, { hint, sections, pause, quick, slow }) {
  const empty = el("p", { class: "note" }, hint), body = el("div", {}, ...sections.map(({ element }) => element));
  container.append(empty, body);
  let waiting = 0;
  function update() {
    empty.hidden = Boolean(lesson.answer);
    body.hidden = !lesson.answer;
    if (!lesson.answer) return;
    quick();
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (lesson.answer) slow(); }, pause);
  }
  onTheme(update);
  update();
  return { update };
}
