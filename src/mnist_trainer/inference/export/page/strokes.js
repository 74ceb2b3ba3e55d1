// A sheet to draw on by mouse, finger, pen or keyboard: black strokes on white.

export const SIDE = 280;
const RIM = 8, PEN = 22, STEP = 10;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// canvas is SIDE pixels wide and high; pen is the mark of the keyboard's pen above it. changed() is called after each change of
// the strokes, moved(down) after the keyboard's pen was moved, lowered or lifted.
export function drawingSheet(canvas, pen, { changed, moved }) {
  const paper = canvas.getContext("2d", { willReadFrequently: true });
  const strokes = [], hand = { x: SIDE / 2, y: SIDE / 4, down: false };
  let pointer = null;

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
    for (const stroke of strokes) {
      paper.beginPath();
      paper.moveTo(...stroke[0]);
      for (const point of stroke.length > 1 ? stroke.slice(1) : stroke) paper.lineTo(...point);
      paper.stroke();
    }
    paper.restore();
  }

  function position(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }

  function moveHand([x, y], step) {
    const within = (value) => Math.min(Math.max(value, RIM + PEN / 2), SIDE - RIM - PEN / 2);
    hand.x = within(hand.x + x * step);
    hand.y = within(hand.y + y * step);
    if (!hand.down) return;
    strokes.at(-1).push([hand.x, hand.y]);
    changed();
  }

  function showPen() {
    pen.hidden = false;
    pen.style.left = `${(100 * hand.x) / SIDE}%`;
    pen.style.top = `${(100 * hand.y) / SIDE}%`;
    pen.classList.toggle("down", hand.down);
    moved(hand.down);
  }

  function undo() {
    strokes.pop();
    hand.down = false;
    changed();
  }

  function clear() {
    strokes.length = 0;
    hand.down = false;
    changed();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    pen.hidden = true;
    hand.down = false;
    strokes.push([position(event)]);
    changed();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const moves = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    strokes.at(-1).push(...(moves.length ? moves : [event]).map(position));
    changed();
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
    canvas.addEventListener(end, (event) => { if (event.pointerId === pointer) pointer = null; });

  canvas.addEventListener("keydown", (event) => {
    const undoes = event.key === "Backspace" || ((event.ctrlKey || event.metaKey) && event.key === "z");
    if (event.key in ARROWS) moveHand(ARROWS[event.key], event.shiftKey ? 2 : STEP);
    else if (event.key === " " || event.key === "Enter") {
      hand.down = !hand.down;
      if (hand.down) strokes.push([[hand.x, hand.y]]);
      changed();
    } else if (event.key === "Escape" || event.key === "Delete") clear();
    else if (undoes) undo();
    else return;
    event.preventDefault();
    showPen();
  });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) showPen(); });
  canvas.addEventListener("blur", () => { pen.hidden = true; hand.down = false; });

  const pixels = () => paper.getImageData(0, 0, SIDE, SIDE);
  return { strokes, paper, redraw, pixels, undo, clear };
}
