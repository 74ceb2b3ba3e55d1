// Strokes by mouse, finger, pen or keyboard; after each change the network's answer.
"use strict";

const SIDE = 280, RIM = 8, PEN = 22, STEP = 10;

const network = unpack(JSON.parse(document.getElementById("network").textContent));
const sheet = document.getElementById("sheet"), paper = sheet.getContext("2d", { willReadFrequently: true });
const pen = document.getElementById("pen"), verdict = document.getElementById("verdict"), hint = document.getElementById("hint");
const seen = document.getElementById("seen"), rows = [...document.querySelectorAll("#answers tr")];
const state = { strokes: [], pointer: null, keyboard: { x: SIDE / 2, y: SIDE / 4, down: false }, images: [], image: null, logits: null, probabilities: null };

function redraw() {
  paper.fillStyle = "#fff";
  paper.fillRect(0, 0, SIDE, SIDE);
  paper.save();
  paper.beginPath();
  paper.rect(RIM, RIM, SIDE - 2 * RIM, SIDE - 2 * RIM);  // A rim stays free: it is how predict knows a drawing.
  paper.clip();
  paper.strokeStyle = "#000";
  paper.lineWidth = PEN;
  paper.lineCap = paper.lineJoin = "round";
  for (const stroke of state.strokes) {
    paper.beginPath();
    paper.moveTo(...stroke[0]);
    for (const point of stroke.length > 1 ? stroke.slice(1) : stroke) paper.lineTo(...point);
    paper.stroke();
  }
  paper.restore();
}

function update() {
  redraw();
  answer(placePicture(paper.getImageData(0, 0, SIDE, SIDE)));
}

// Show what the network says of a digit, segmented in one way or several: {image, score}; none for nothing to see.
function answer(views) {
  const combined = views.length ? combine(views.map(({ image }) => logitsOf(network, image)), views) : { best: -1, logits: null };
  state.images = views.map(({ image }) => image);
  state.image = state.images[combined.best] ?? null;
  state.logits = combined.logits;
  state.probabilities = state.logits ? softmax(state.logits.map((logit) => logit / network.temperature)) : null;
  showSeen();
  showAnswers();
}

function showSeen() {
  const context = seen.getContext("2d"), shown = context.createImageData(28, 28);
  for (let i = 0; i < 784; i++) {
    const level = state.image ? state.image[i] : 0;
    shown.data.set([level, level, level, 255], 4 * i);
  }
  context.putImageData(shown, 0, 0);
}

let speaking = 0;
function showAnswers() {
  const shares = state.probabilities, best = shares ? shares.indexOf(Math.max(...shares)) : -1;
  rows.forEach((row, i) => {
    const share = shares ? shares[i] : 0;
    row.classList.toggle("best", i === best);
    row.querySelector(".fill").style.width = `${100 * share}%`;
    row.querySelector(".share").textContent = shares ? `${(100 * share).toFixed(1)} %` : "";
  });
  verdict.textContent = shares ? network.class_names[best] : "?";
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    const said = shares ? `${network.class_names[best]}, ${Math.round(100 * shares[best])} percent` : "The sheet is empty.";
    document.getElementById("spoken").textContent = said;
  }, 600);
}

function position(event) {
  const box = sheet.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
}

sheet.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || state.pointer !== null) return;
  state.pointer = event.pointerId;
  sheet.setPointerCapture(event.pointerId);
  pen.hidden = true;
  state.keyboard.down = false;
  state.strokes.push([position(event)]);
  update();
});
sheet.addEventListener("pointermove", (event) => {
  if (event.pointerId !== state.pointer) return;
  const moves = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  state.strokes.at(-1).push(...(moves.length ? moves : [event]).map(position));
  update();
});
for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
  sheet.addEventListener(end, (event) => { if (event.pointerId === state.pointer) state.pointer = null; });

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

sheet.addEventListener("keydown", (event) => {
  const hand = state.keyboard, undoes = event.key === "Backspace" || ((event.ctrlKey || event.metaKey) && event.key === "z");
  if (event.key in ARROWS) moveHand(ARROWS[event.key], event.shiftKey ? 2 : STEP);
  else if (event.key === " " || event.key === "Enter") {
    hand.down = !hand.down;
    if (hand.down) state.strokes.push([[hand.x, hand.y]]);
    update();
  } else if (event.key === "Escape" || event.key === "Delete") clear();
  else if (undoes) undo();
  else return;
  event.preventDefault();
  showPen();
});
sheet.addEventListener("focus", () => { if (sheet.matches(":focus-visible")) showPen(); });
sheet.addEventListener("blur", () => { pen.hidden = true; state.keyboard.down = false; });

function moveHand([x, y], step) {
  const hand = state.keyboard, within = (value) => Math.min(Math.max(value, RIM + PEN / 2), SIDE - RIM - PEN / 2);
  hand.x = within(hand.x + x * step);
  hand.y = within(hand.y + y * step);
  if (!hand.down) return;
  state.strokes.at(-1).push([hand.x, hand.y]);
  update();
}

function showPen() {
  const hand = state.keyboard;
  pen.hidden = false;
  pen.style.left = `${(100 * hand.x) / SIDE}%`;
  pen.style.top = `${(100 * hand.y) / SIDE}%`;
  pen.classList.toggle("down", hand.down);
  hint.textContent = hand.down ? "The pen is down: arrow keys draw, Space lifts it." : "The pen is up: arrow keys move it, Space lowers it.";
}

function undo() {
  state.strokes.pop();
  state.keyboard.down = false;
  update();
}

function clear() {
  state.strokes = [];
  state.keyboard.down = false;
  update();
}

// A picture takes the place of the strokes; the next stroke takes its place.
async function openPicture(file) {
  let pixels;
  try {
    pixels = await readPicture(file);
  } catch {
    hint.textContent = "This is no picture that the browser can read.";
    return;
  }
  clear();
  const scale = SIDE / Math.max(pixels.width, pixels.height), shown = document.createElement("canvas");
  [shown.width, shown.height] = [pixels.width, pixels.height];
  shown.getContext("2d").putImageData(pixels, 0, 0);
  const [width, height] = [pixels.width * scale, pixels.height * scale];
  paper.drawImage(shown, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
  answer(placePicture(pixels));
  hint.textContent = state.image ? "Drawing starts on an empty sheet again." : "Nothing in it stands out from the background.";
}

const chosen = document.getElementById("file");
document.getElementById("open").addEventListener("click", () => chosen.click());
chosen.addEventListener("change", async () => {
  if (chosen.files.length) await openPicture(chosen.files[0]);
  chosen.value = "";  // The same file can be chosen again.
});
sheet.addEventListener("dragover", (event) => event.preventDefault());
sheet.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) openPicture(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((each) => each.type.startsWith("image/"));
  if (file) openPicture(file);
});

document.getElementById("undo").addEventListener("click", undo);
document.getElementById("clear").addEventListener("click", clear);
update();
