// Elements of the page in one call.

// el("p", {class: "note", onclick: f, hidden: true}, "text", child): attributes as in HTML, on… as listeners.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

let count = 0;
export const uniqueId = (prefix) => `${prefix}-${++count}`;

// A label and its control, tied to each other.
export function labelled(text, control) {
  control.id ||= uniqueId("control");
  return [el("label", { for: control.id }, text), control];
}

// What may be wider than the page scrolls inside itself, by keyboard, too.
export const scrolling = (label, child, name = "scroll") => el("div", { class: name, tabindex: 0, role: "region", "aria-label": label }, child);

// "{a} of {b}" with the values of an object.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));

// Numbers as a lesson writes them: a minus sign, and as many digits as matter.
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const text = value === 0 ? "0" : size >= 1e5 || size < 10 ** -(digits + 2) ? value.toExponential(2) : value.toFixed(digits);
  return text.replaceAll("-", "\u2212");
}

// As many digits whatever the size: what is small enough is 0.000.
export const fixed = (value, digits = 3) => value.toFixed(digits).replace("-", "\u2212");

// What is already there is left alone: it would have to be laid out again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

// Work in portions between frames: step() until it says that it is done; the returned function stops it.
export function inPortions(step, done = () => {}) {
  let stopped = false;
  const portion = () => {
    if (stopped) return;
    const end = performance.now() + 8;
    do {
      if (step()) { done(); return; }
    } while (performance.now() < end);
    setTimeout(portion);
  };
  setTimeout(portion);
  return () => { stopped = true; };
}
