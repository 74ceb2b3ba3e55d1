// Which ink of a photograph is its digit: digit_images/borders.py, candidates.py and segment.py, operation by operation.
import { clamp, levelOf, mapped, subtractBackground } from "./background.js";
import { removeLines } from "./lines.js";

const INK_THRESHOLD = 0.25, MIN_PART = 0.04, MAX_COMPONENTS = 300, AT_THE_EDGE = 0.01, BAR = 0.6, BAR_BY_THE_EDGE = 0.05, LYING = 1.5, LYING_BAR = 0.005;
const DASH_ZONE = 0.12, EDGE_ZONE = 0.2, ELONGATED = 4, MIN_REST = 0.12, SMALLEST_REST = 0.12, CLOSE = 0.12, DARKER = 0.75;
const BULKY = 0.62, BLOB = 0.1, HALO = 3, FRINGE = 2, MIN_CONTRAST = 0.06, NEUTRAL = 0.6, PREFERRED = 0.5;

// The ink of the digit, {height, width, data}, segmented in several ways, each with its score, the most likely first; empty where
// there is none.
function segmentPhotograph(channels) {
  const found = subtractBackground(channels), least = Math.max(MIN_CONTRAST, 5 * found.strongest.noise);
  const maps = removeLines(found);
  const [black, coloured, any] = [maps.neutral, maps.coloured, maps.strongest].map((map) => findCandidates(map, least));
  const chosen = choose(black[0], coloured[0], any[0], maps);
  return [chosen, ...[...black, ...coloured, ...any].filter((each) => each !== chosen)].filter(Boolean);
}

function choose(black, coloured, any, maps) {
  if (black) {
    const total = (map) => map.data.reduce((sum, value, i) => sum + (black.ink.data[i] >= INK_THRESHOLD ? value : 0), 0);
    const isBlack = total(maps.neutral) >= NEUTRAL * total(maps.strongest);
    if (isBlack && (!any || black.score >= PREFERRED * any.score)) return black;
  }
  return [any, coloured, black].reduce((best, each) => (each && (!best || each.score > best.score) ? each : best), null);
}

// 0 for paper to 1 for full ink; null where nothing is stronger than `least`.
function fullInk(map, least) {
  const level = levelOf(map);
  if (level < least) return null;
  const low = Math.max(0.2 * level, Math.min(3 * map.noise, 0.4 * level));
  return mapped(map, (value) => clamp((value - low) / (0.85 * level - low), 0, 1));
}

// First without what belongs to the edge of the picture, then with it, where there is such.
function findCandidates(map, least) {
  const ink = fullInk(map, least);
  if (!ink) return [];
  const rest = eraseBorders(map, ink);
  return [bestCandidate(rest, least), rest === map ? null : bestCandidate(map, least)].filter(Boolean);
}

function bestCandidate(map, least) {
  const ink = fullInk(map, least);
  if (!ink) return null;
  const found = components(ink, (value) => value >= INK_THRESHOLD), kept = withoutFramesAndSpecks(found, ink).slice(0, MAX_COMPONENTS);
  if (!kept.length) return null;
  const scored = kept.map((each) => ({ each, score: digitScore(each, map) }));
  const main = scored.reduce((best, other) => (other.score > best.score ? other : best));
  return { ink: keepComponents(ink, found.labels, joinParts(main.each, kept, ink)), score: main.score };
}

function eraseBorders(map, ink) {
  const found = components(ink, (value) => value >= INK_THRESHOLD);
  const borders = new Set(found.list.slice(0, MAX_COMPONENTS).filter((each) => isBorder(each, ink)).map((each) => each.label));
  if (!borders.size) return map;
  const inBorder = mapped(ink, (_, i) => (borders.has(found.labels[i]) ? 1 : 0));
  const dark = components(mapped(ink, (value, i) => (inBorder.data[i] && value >= DARKER ? 1 : 0)), (value) => value > 0);
  const smallest = SMALLEST_REST * Math.min(ink.height, ink.width);
  const digits = new Set(dark.list.slice(0, MAX_COMPONENTS)
    .filter((each) => side(each) >= smallest && !isBorder(each, ink)).map((each) => each.label));
  const spared = dilated(mapped(ink, (_, i) => (digits.has(dark.labels[i]) ? 1 : 0)), HALO);
  const erased = dilated(mapped(inBorder, (value, i) => (spared.data[i] ? 0 : value)), HALO);
  const rest = mapped(map, (value, i) => (erased.data[i] ? 0 : value));
  const remaining = fullInk(rest, Math.max(MIN_REST * levelOf(map), 5 * map.noise));
  const fringe = dilated(erased, FRINGE).data.map((value, i) => (spared.data[i] ? 0 : value));
  const holds = remaining && components(remaining, (value) => value >= INK_THRESHOLD).list.some((each) =>
    side(each) >= smallest && !touchesEdge(each, ink) && each.places.filter((place) => fringe[place]).length < 0.5 * each.area
    && !isLyingBar(each));
  return holds ? rest : map;
}

const isBorder = (each, image) => touchesEdge(each, image) || (byTheEdge(each, image) && isBar(each));
const side = (box) => Math.max(box.bottom - box.top, box.right - box.left);
const touchesEdge = (box, { height, width }) => box.top <= 1 || box.left <= 1 || box.bottom >= height - 1 || box.right >= width - 1;
const gap = (one, other) => Math.max(
  Math.max(one.left, other.left) - Math.min(one.right, other.right), Math.max(one.top, other.top) - Math.min(one.bottom, other.bottom), 0);
const union = (one, other) => ({
  top: Math.min(one.top, other.top), left: Math.min(one.left, other.left),
  bottom: Math.max(one.bottom, other.bottom), right: Math.max(one.right, other.right),
});

// Components of pixels that touch, corners too, largest first: {label, area, places, top, left, bottom, right}.
function components(image, isInk) {
  const { height, width, data } = image, labels = new Int32Array(data.length), list = [];
  for (let start = 0; start < data.length; start++) {
    if (labels[start] || !isInk(data[start])) continue;
    const label = list.length + 1, places = [start];
    labels[start] = label;
    let top = height, left = width, bottom = 0, right = 0;
    for (let next = 0; next < places.length; next++) {
      const y = Math.floor(places[next] / width), x = places[next] % width;
      top = Math.min(top, y); bottom = Math.max(bottom, y + 1); left = Math.min(left, x); right = Math.max(right, x + 1);
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++)
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column++) {
          const at = row * width + column;
          if (!labels[at] && isInk(data[at])) { labels[at] = label; places.push(at); }
        }
    }
    list.push({ label, area: places.length, places, width, top, left, bottom, right });
  }
  return { labels, list: list.sort((one, other) => other.area - one.area) };
}

// Grown by a pixel up, down, left and right, several times.
function dilated(mask, times) {
  const { height, width } = mask;
  let data = mask.data;
  for (let time = 0; time < times; time++) {
    const before = data;
    data = before.map((value, i) => value || (i % width > 0 && before[i - 1]) || (i % width < width - 1 && before[i + 1])
      || (i >= width && before[i - width]) || (i < (height - 1) * width && before[i + width]) || 0);
  }
  return { ...mask, data };
}

// Length and thickness of the rectangle with the second moments of a component.
function barSides({ places, width, area }) {
  let y = 0, x = 0, yy = 0, xx = 0, yx = 0;
  for (const place of places) { y += Math.floor(place / width) / area; x += (place % width) / area; }
  for (const place of places) {
    const down = Math.floor(place / width) - y, across = (place % width) - x;
    yy += (down * down) / area; xx += (across * across) / area; yx += (down * across) / area;
  }
  const middle = (yy + xx) / 2, spread = Math.hypot((yy - xx) / 2, yx);
  return [1, -1].map((sign) => Math.sqrt(12 * (middle + sign * spread) + 1));
}

function isBar(component) {
  const [length, thickness] = barSides(component);
  return length >= ELONGATED * thickness && component.area >= 0.75 * length * thickness;
}

const isLyingBar = (component) => component.right - component.left > LYING * (component.bottom - component.top) && isBar(component);

function isBlob(component) {
  const [length, thickness] = barSides(component);
  return component.area >= BULKY * length * thickness && length < 2.2 * thickness;
}

function byTheEdge(box, { height, width }) {
  if (box.right - box.left > box.bottom - box.top) return Math.min(box.bottom, height - box.top) < EDGE_ZONE * height;
  return Math.min(box.right, width - box.left) < EDGE_ZONE * width;
}

function digitScore(component, map) {
  const { height, width, data } = map, { top, left, bottom, right, area, places } = component;
  const central = 1 - Math.max(Math.abs((top + bottom) / (2 * height) - 0.5), Math.abs((left + right) / (2 * width) - 0.5));
  const contrast = places.reduce((sum, place) => sum + data[place], 0) / area;
  let score = ((side(component) * Math.sqrt(area)) / (height * width) ** 0.75) * central * contrast;
  if (touchesEdge(component, map)) score *= AT_THE_EDGE;
  if (isBlob(component)) score *= BLOB;
  else if (isLyingBar(component)) score *= LYING_BAR;
  else if (isBar(component)) score *= byTheEdge(component, map) ? BAR_BY_THE_EDGE : BAR;
  return score;
}

function joinParts(main, kept, image) {
  const group = [main];
  let box = main;
  for (const part of kept.slice().sort((one, other) => gap(one, main) - gap(other, main))) {
    const apart = gap(part, box);
    if (part === main || apart > 0.35 * side(box) || part.area < MIN_PART * main.area || touchesEdge(part, image)) continue;
    if (apart > CLOSE * side(box) && (inBorderZone(part, main, image) || isBar(part))) continue;
    group.push(part);
    box = union(box, part);
  }
  return group;
}

function inBorderZone(part, main, { height, width }) {
  const down = DASH_ZONE * height, across = DASH_ZONE * width;
  return part.bottom < Math.min(down, main.top) || part.right < Math.min(across, main.left)
    || part.top > Math.max(height - down, main.bottom) || part.left > Math.max(width - across, main.right);
}

function withoutFramesAndSpecks({ list }, image) {
  const kept = list.filter((each, rank) => rank >= 3 || !isFrame(each, list, image));
  const whole = kept.filter((each) => !touchesEdge(each, image)), first = (whole.length ? whole : kept)[0];
  return first ? kept.filter((each) => each.area >= Math.max(4, MIN_PART * 0.25 * first.area)) : [];
}

function isFrame(outer, list, { height, width }) {
  if (outer.bottom - outer.top < 0.5 * height || outer.right - outer.left < 0.5 * width) return false;
  const encloses = (inner) => inner.top >= outer.top && inner.left >= outer.left && inner.bottom <= outer.bottom && inner.right <= outer.right;
  if (!list.some((inner) => inner !== outer && side(inner) >= 0.2 * side(outer) && encloses(inner))) return false;
  const rim = Math.max(2, Math.floor(side(outer) / 12));
  const within = outer.places.filter((place) => {
    const y = Math.floor(place / width), x = place % width;
    return y >= outer.top + rim && y < outer.bottom - rim && x >= outer.left + rim && x < outer.right - rim;
  });
  return within.length < 0.1 * outer.area;
}

// The ink of some components with the antialiased edge around them; 0 elsewhere.
function keepComponents(ink, labels, group) {
  const chosen = new Set(group.map((each) => each.label));
  const grown = dilated(mapped(ink, (_, i) => (chosen.has(labels[i]) ? 1 : 0)), 2);
  return mapped(ink, (value, i) => (grown.data[i] && (!labels[i] || chosen.has(labels[i])) ? value : 0));
}

export { INK_THRESHOLD, MIN_PART, components, keepComponents, segmentPhotograph };
