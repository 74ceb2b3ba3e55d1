// Break it: the network is damaged, the picture moved, and 200 images say how much of it matters.
import { damaged, interval, magnitudes, moved } from "./damage.js";
import { el, fill, inPortions, labelled, percent } from "./dom.js";
import { answerTo, imageAt } from "./forward.js";

export const id = "break";

export const available = (lesson) => lesson.has("held_out");

const UNBROKEN = { biases: false, prune: 0, bits: 0, noise: 0, seed: 0, right: 0, down: 0 };
const BITS = [0, 8, 7, 6, 5, 4, 3, 2];  // Where the slider stands; 0 leaves the weights as they are.
const columnsOf = (canvas) => (canvas.clientWidth < 480 ? 10 : 20);

export function mount(container, lesson) {
  const texts = lesson.texts.views.break, sorted = magnitudes(lesson.networks[0]);
  const settings = { ...UNBROKEN };
  let held = null, stop = () => {}, wrong = [], nextWrong = 0, base = null, own = false, waiting = 0;

  const shareNow = el("strong", { id: "break-score" }), before = el("strong", { id: "break-before" });
  const told = el("span", { id: "break-interval" }), contact = el("canvas", { id: "contact", width: 560, height: 280, role: "img", onclick: choose });
  const scores = el("div", { class: "scores", id: "break-scores" });
  const controls = panelOf(texts, settings, changed);
  const showWrong = el("button", { type: "button", id: "break-wrong", onclick: () => show(wrong[nextWrong++ % wrong.length]) }, texts.show_wrong);
  const restore = el("button", { type: "button", id: "break-restore", onclick: () => { Object.assign(settings, UNBROKEN); controls.write(); changed(); } }, texts.restore);
  container.append(
    el("p", {}, texts.about),
    controls.panel,
    el("div", { class: "buttons" }, restore, showWrong),
    scores,
  );
  lesson.part("held_out").then((part) => {
    held = part;
    const split = texts[part.split];
    scores.append(el("div", {}, shareNow, el("span", {}, texts.now), " ", told), el("div", {}, before, el("span", {}, texts.before)));
    container.append(contact, el("p", { class: "note" }, texts.contact_note), el("p", { class: "note" }, fill(texts.split_note, { split })));
    scoreAll(lesson.networks[0], (i) => imageAt(part.images.values, i), (answers) => {
      const labels = part.labels.values, count = labels.length;
      before.textContent = fill(texts.of, { right: answers.filter((best, i) => best === labels[i]).length, count });
      score();
    });
  });

  // At most one change in a frame, however fast a slider moves.
  function changed() {
    scores.dataset.done = "no";
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      const { right: x, down: y, ...damage } = settings;
      const isWhole = !damage.biases && !damage.prune && !damage.bits && !damage.noise;
      own = true;
      lesson.setNetwork(isWhole ? lesson.networks[0] : damaged(lesson.networks[0], damage, sorted));
      if (base) lesson.setImage(moved(base.image, x, y), base.label);
      own = false;
      score();
    });
  }

  function score() {
    if (!held) return;
    stop();
    scores.dataset.done = "no";
    stop = scoreAll(lesson.network, imageShown, finish);
  }

  function scoreAll(network, image, done) {
    const answers = [], count = held.labels.values.length;
    return inPortions(() => answers.push(answerTo(network, image(answers.length)).best) === count, () => done(answers));
  }

  const imageShown = (i) => moved(imageAt(held.images.values, i), settings.right, settings.down);

  function finish(answers) {
    const labels = held.labels.values, count = labels.length;
    wrong = [...labels.keys()].filter((i) => answers[i] !== labels[i]);
    nextWrong = 0;
    const number = count - wrong.length, [low, high] = interval(number, count);
    shareNow.textContent = fill(texts.of, { right: number, count });
    told.textContent = fill(texts.interval, { low: percent(low), high: percent(high) });
    showWrong.disabled = !wrong.length;
    paintContact(contact, held, imageShown, new Set(wrong));
    contact.setAttribute("aria-label", fill(texts.contact_label, { wrong: wrong.length, count }));
    scores.dataset.done = "yes";
    lesson.say(`${shareNow.textContent}, ${told.textContent}`);
  }

  function show(i) {
    base = { image: imageAt(held.images.values, i).slice(), label: held.labels.values[i] };
    own = true;
    lesson.showImage(imageShown(i), base.label);
    own = false;
  }
  function choose(event) {
    const box = contact.getBoundingClientRect(), columns = contact.width / 28;
    const column = Math.floor((columns * (event.clientX - box.left)) / box.width), row = Math.floor((columns * (event.clientY - box.top)) / box.width);
    const i = row * columns + column;
    if (held && i >= 0 && i < held.labels.values.length) show(i);
  }
  function follow(change) {
    if (own || change === "label") return;
    if (change === "image" || (change === "open" && !base)) base = lesson.image && { image: lesson.image, label: lesson.label };
    if (change === "image" && base && (settings.right || settings.down)) {
      own = true;
      lesson.setImage(moved(base.image, settings.right, settings.down), base.label);
      own = false;
    }
    if (change !== "image") score();  // Another view may have changed the network.
  }
  return { update: follow };
}

// The controls, and write() that shows what the settings are.
function panelOf(texts, settings, changed) {
  const shows = [];
  const slider = (name, low, high, step, shown, read = Number, written = String) => {
    const output = el("output", {});
    const input = el("input", { type: "range", id: `break-${name}`, min: low, max: high, step, oninput: () => { settings[name] = read(input.value); write(); changed(); } });
    const [label] = labelled(texts[name], input);
    output.setAttribute("for", input.id);
    shows.push(() => {
      input.value = written(settings[name]);
      output.textContent = shown(settings[name]);
      input.setAttribute("aria-valuetext", output.textContent);
    });
    return el("div", {}, label, output, input);
  };
  const write = () => shows.forEach((show) => show());
  const biases = el("input", { type: "checkbox", id: "break-biases", onchange: () => { settings.biases = biases.checked; changed(); } });
  const seed = el("input", { type: "number", id: "break-seed", min: 0, max: 2 ** 32 - 1, step: 1, onchange: () => { settings.seed = (Math.abs(Math.trunc(Number(seed.value))) || 0) % 2 ** 32; write(); changed(); } });
  shows.push(() => { biases.checked = settings.biases; seed.value = settings.seed; });
  const pixels = (forwards, backwards) => (value) => (value === 0 ? texts.not_moved : fill(value > 0 ? forwards : backwards, { pixels: Math.abs(value) }));
  const panel = el("div", { class: "controls" },
    slider("noise", 0, 2, 0.05, (value) => fill(texts.noise_value, { share: percent(value, 0) })),
    slider("prune", 0, 1, 0.01, (value) => percent(value, 0)),
    slider("bits", 0, BITS.length - 1, 1, (bits) => (bits ? fill(texts.bits_value, { bits, levels: 2 ** bits - 1 }) : texts.bits_off), (at) => BITS[at], (bits) => String(BITS.indexOf(bits))),
    slider("right", -8, 8, 1, pixels(texts.to_right, texts.to_left)),
    slider("down", -8, 8, 1, pixels(texts.to_bottom, texts.to_top)),
    el("div", {}, ...labelled(texts.biases, biases)),
    el("div", {}, ...labelled(texts.seed, seed)));
  write();
  return { panel, write };
}

// All images in rows; wrong ones on an orange ground, in a frame.
function paintContact(canvas, held, imageShown, wrong) {
  const count = held.labels.values.length, columns = columnsOf(canvas);
  canvas.width = 28 * columns;
  canvas.height = 28 * Math.ceil(count / columns);
  const context = canvas.getContext("2d");
  for (let i = 0; i < count; i++) {
    const image = imageShown(i), shown = context.createImageData(28, 28), isWrong = wrong.has(i);
    for (let k = 0; k < 784; k++) {
      const ink = image[k] / 255, x = k % 28, y = Math.floor(k / 28);
      const edge = isWrong && (x < 2 || x > 25 || y < 2 || y > 25);
      const ground = isWrong ? [122, 52, 0] : [24, 28, 34];
      for (let c = 0; c < 3; c++) shown.data[4 * k + c] = edge ? [255, 160, 76][c] : ground[c] + (255 - ground[c]) * ink * (isWrong ? 1 : 0.75);
      shown.data[4 * k + 3] = 255;
    }
    context.putImageData(shown, 28 * (i % columns), 28 * Math.floor(i / columns));
  }
}
