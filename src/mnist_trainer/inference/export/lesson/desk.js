// The desk: the sheet to draw on, what the network is shown, and its answer.
import { FAINTEST, place } from "../page/placement.js";
import { SIDE, drawingSheet } from "../page/strokes.js";
import { el, fill, percent, setText } from "./dom.js";
import { imageAt } from "./forward.js";
import { paintGrey } from "./paint.js";

const WHITE = 0xffffffff, INK = { height: SIDE, width: SIDE, data: new Float64Array(SIDE * SIDE) };

// The 28x28 bytes of a drawing on the white sheet, as picture.js finds them; null for an empty sheet.
export function imageOfSheet({ data }) {
  const words = new Uint32Array(data.buffer), drawn = [], ink = INK.data;  // One array for all frames: each would be 600 kB.
  let most = 0;
  for (let i = 0; i < words.length; i++) {
    if (words[i] === WHITE) continue;
    const off = 255 - data[4 * i];
    ink[i] = off;
    drawn.push(i);
    if (off > most) most = off;
  }
  for (const i of drawn) ink[i] /= most;
  const image = most < FAINTEST ? null : place(INK);
  for (const i of drawn) ink[i] = 0;
  return image;
}

export function mountDesk(container, lesson) {
  const texts = lesson.texts.desk, hint = el("p", { id: "hint" }, texts.hint);
  const sheet = el("canvas", { id: "sheet", width: SIDE, height: SIDE, tabindex: 0, role: "application", "aria-label": texts.sheet, "aria-describedby": "hint" });
  const pen = el("div", { id: "pen", hidden: true });
  let frame = 0, frames = [];
  // At most one pass a frame, however many events there are.
  const board = drawingSheet(sheet, pen, {
    changed: () => { if (!frame) frame = requestAnimationFrame(answerDrawing); },
    moved: (down) => { hint.textContent = down ? texts.pen_down : texts.pen_up; },
  });
  function answerDrawing() {
    const start = performance.now();
    frame = 0;
    board.redraw();
    if (pen.hidden) setText(hint, texts.hint);
    lesson.setImage(imageOfSheet(board.pixels()));
    frames.push(performance.now() - start);
    if (frames.length > 600) frames = frames.slice(-300);
  }

  const next = { samples: 0, mistakes: 0 };
  async function show(part) {
    const { images, labels } = await lesson.part(part);
    const i = next[part]++ % labels.values.length;
    showImage(imageAt(images.values, i).slice(), labels.values[i]);
  }
  function showImage(image, label) {
    board.strokes.length = 0;
    board.redraw();
    const small = el("canvas", { width: 28, height: 28 });
    paintGrey(small, image, true);
    board.paper.imageSmoothingEnabled = false;
    board.paper.drawImage(small, 0, 0, SIDE, SIDE);
    lesson.setImage(image, label);
    hint.textContent = fill(texts.shown, { label: lesson.classNames[label] });
  }
  lesson.showImage = showImage;
  lesson.showNext = show;
  lesson.board = board;
  lesson.draw = answerDrawing;
  lesson.frames = () => frames;
  lesson.settled = () => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); });

  const button = (id, act, hidden = false) => el("button", { type: "button", id, onclick: act, hidden }, texts[id]);
  const noMistakes = lesson.parts.mistakes?.labels.shape[0] === 0;
  container.append(
    el("div", { class: "sheet" }, sheet, pen),
    el("div", { class: "buttons" }, button("undo", board.undo), button("clear", board.clear)),
    el("div", { class: "buttons" }, button("samples", () => show("samples")), button("mistakes", () => show("mistakes"), noMistakes)),
    hint,
    answerPanel(lesson),
  );
  board.redraw();
}

function answerPanel(lesson) {
  const texts = lesson.texts.desk, seen = el("canvas", { id: "seen", width: 28, height: 28, role: "img", "aria-label": texts.seen });
  const verdict = el("div", { id: "verdict" }, "?"), right = el("p", { id: "right" });
  const rows = lesson.classNames.map((name) => {
    const bar = el("div", { class: "fill" }), share = el("td", { class: "share" });
    return { bar, share, row: el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, el("div", { class: "track" }, bar)), share) };
  });
  lesson.onChange(() => {
    const { answer } = lesson;
    paintGrey(seen, lesson.image);
    rows.forEach(({ row, bar, share }, i) => {
      row.classList.toggle("best", i === answer?.best);
      const length = answer ? answer.probabilities[i].toFixed(2) : "0.00";
      if (bar.dataset.length !== length) bar.style.transform = `scaleX(${(bar.dataset.length = length)})`;
      setText(share, answer ? percent(answer.probabilities[i]) : "");
    });
    setText(verdict, answer ? lesson.classNames[answer.best] : "?");
    setText(right, answer && lesson.label !== null ? fill(texts.right, { label: lesson.classNames[lesson.label] }) : "");
    lesson.say(answer ? `${lesson.classNames[answer.best]}, ${percent(answer.probabilities[answer.best], 0)}` : texts.empty);
  });
  return el("div", { id: "answer", class: lesson.classNames.some((name) => name.length > 2) ? "small" : "" },
    el("div", { class: "answer" }, seen, el("div", {}, el("p", {}, texts.reads), verdict, right)),
    el("table", { id: "probabilities", "aria-label": texts.probabilities }, el("tbody", {}, ...rows.map(({ row }) => row))));
}
