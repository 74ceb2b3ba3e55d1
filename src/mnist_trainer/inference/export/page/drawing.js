// Strokes by mouse, finger, pen or keyboard; after each change the network's answer.
import { combine, logitsOf, softmax, unpack } from "./network.js";
import { placePicture, readPicture } from "./picture.js";
import { unpackSegmentation } from "./segmentation.js";
import { SIDE, drawingSheet } from "./strokes.js";

const network = unpack(JSON.parse(document.getElementById("network").textContent));
const segmentation = JSON.parse(document.getElementById("segmentation").textContent);
const convolutions = segmentation && unpackSegmentation(segmentation);
const sheet = document.getElementById("sheet"), verdict = document.getElementById("verdict"), hint = document.getElementById("hint");
const seen = document.getElementById("seen"), rows = [...document.querySelectorAll("#answers tr")];
const board = drawingSheet(sheet, document.getElementById("pen"), { changed: update, moved: showHint });
const state = { strokes: board.strokes, images: [], image: null, logits: null, probabilities: null };

function update() {
  board.redraw();
  answer(placePicture(board.pixels(), convolutions));
}

function showHint(down) {
  hint.textContent = down ? "The pen is down: arrow keys draw, Space lifts it." : "The pen is up: arrow keys move it, Space lowers it.";
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

// A picture takes the place of the strokes; the next stroke takes its place.
async function openPicture(file) {
  let pixels;
  try {
    pixels = await readPicture(file);
  } catch {
    hint.textContent = "This is no picture that the browser can read.";
    return;
  }
  board.clear();
  const scale = SIDE / Math.max(pixels.width, pixels.height), shown = document.createElement("canvas");
  [shown.width, shown.height] = [pixels.width, pixels.height];
  shown.getContext("2d").putImageData(pixels, 0, 0);
  const [width, height] = [pixels.width * scale, pixels.height * scale];
  board.paper.drawImage(shown, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
  answer(placePicture(pixels, convolutions));
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

document.getElementById("undo").addEventListener("click", board.undo);
document.getElementById("clear").addEventListener("click", board.clear);
update();
