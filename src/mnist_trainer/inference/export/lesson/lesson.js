// The state that all views of the page share: networks, the image on the sheet, and what the network answers to it.
import { decode } from "./arrays.js";
import { answerTo, loadNetwork } from "./forward.js";

export class Lesson {
  constructor({ texts, parts }, networks) {
    this.texts = texts;
    this.networks = networks;      // As they were trained; nothing changes them.
    this.network = networks[0];    // The one that answers: networks[0], or a copy with changed parameters.
    this.image = null;             // Uint8Array of 784 bytes, or null for an empty sheet.
    this.label = null;             // The right class of the image, where it is known.
    this.answer = null;            // {values, logits, probabilities, best} of the image; null without one.
    this.drawing = false;          // Whether a stroke is being drawn just now.
    this.parts = parts;
    this.decoded = new Map();
    this.listeners = [];
    this.speaking = 0;
  }

  get classNames() { return this.network.class_names; }

  get isChanged() { return this.network !== this.networks[0]; }

  // A part of the page's data: {name: {shape, values}} for each of its arrays, or null where the page has no such part.
  part(name) {
    if (!(name in this.parts)) return Promise.resolve(null);
    if (!this.decoded.has(name)) this.decoded.set(name, this.decodeAll(this.parts[name]));
    return this.decoded.get(name);
  }

  async decodeAll(part) {
    const entries = Object.entries(part).map(async ([key, value]) => [key, value?.data && value.type ? await decode(value) : value]);
    return Object.fromEntries(await Promise.all(entries));
  }

  // Whether the page has a part, without decoding it.
  has(name) { return name in this.parts; }

  // listener("image") after each new image and answer, listener("network") after the network was changed or set back.
  onChange(listener) { this.listeners.push(listener); }

  setImage(image, label = null) {
    this.image = image;
    this.label = label;
    this.compute("image");
  }

  // Let a network with other parameters answer; networks[0] sets it back.
  setNetwork(network) {
    this.network = network;
    this.compute("network");
  }

  setLabel(label) {
    this.label = label;
    for (const listener of this.listeners) listener("label");
  }

  compute(change) {
    this.answer = this.image ? answerTo(this.network, this.image) : null;
    for (const listener of this.listeners) listener(change);
  }

  // Tell a screen reader, once nothing else has been said for a moment.
  say(text) {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => { document.getElementById("spoken").textContent = text; }, 500);
  }
}

export async function createLesson(payload) {
  return new Lesson(payload, await Promise.all(payload.networks.map(loadNetwork)));
}
