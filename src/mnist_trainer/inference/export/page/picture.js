// A picture that was opened, dropped or pasted, as 28x28 bytes: digit_images/segment.py, find_digit.
import { mapped, median, plane } from "./background.js";
import { segmentPhotograph } from "./candidates.js";
import { CENTRE, FAINTEST, IMAGE_SIZE, place, reduced } from "./placement.js";
import { segmentByNetwork } from "./segmentation.js";

const WORKING_SIDE = 640, PHOTOGRAPH_SIDE = 400, PAPER_SHARE = 0.3, LINE_SHARE = 0.95, MOST_PIXELS = 50e6;

// The pixels of a picture file, upright and on white: {height, width, data}, four bytes each.
async function readPicture(file) {
  const bitmap = await createImageBitmap(file);
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Error("too many pixels");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// The 28x28 bytes that the network is shown, of each segmentation: {image, score}; empty where there is no digit. `convolutions` are of
// the network that segments photographs of digits; null where the classes are no digits.
function placePicture(pixels, convolutions) {
  const channels = [0, 1, 2].map((channel) => reduced({
    height: pixels.height, width: pixels.width,
    data: Float64Array.from({ length: pixels.height * pixels.width }, (_, i) => pixels.data[4 * i + channel]),
  }, WORKING_SIDE));
  const own = mnistImage(channels);
  if (own) return [{ image: own, score: 1 }];
  const drawing = inkOfSheet(channels);
  if (drawing !== undefined) return drawing ? [{ image: place(drawing), score: 1 }] : [];
  const found = segmentPhotograph(channels.map((each) => reduced(each, PHOTOGRAPH_SIDE))).map(({ ink, score }) => ({ image: place(ink), score }));
  const byNetwork = found.length && convolutions && segmentByNetwork(convolutions, channels);
  if (byNetwork) found.push(byNetwork);
  const same = (one, other) => one.image.every((value, at) => value === other.image[at]);
  return found.filter((view, i) => found.findIndex((other) => same(other, view)) === i);
}

// A grey picture of 28x28 that is placed as MNIST places digits, itself or inverted; else null.
function mnistImage([red, green, blue]) {
  const size = IMAGE_SIZE, grey = red.data;
  if (red.height !== size || red.width !== size || grey.some((value, i) => value !== green.data[i] || value !== blue.data[i])) return null;
  const edge = [];
  for (let i = 0; i < size; i++) edge.push(grey[i], grey[(size - 1) * size + i], grey[i * size], grey[i * size + size - 1]);
  const image = Uint8Array.from(grey, (value) => (median(edge) === 255 ? 255 - value : value));
  const ink = [...image.keys()].filter((i) => image[i] >= 32), rows = ink.map((i) => Math.floor(i / size)), columns = ink.map((i) => i % size);
  if (image.filter((value) => value === 0).length < PAPER_SHARE * image.length || Math.max(...image) < 128) return null;
  const longer = Math.max(Math.max(...rows) - Math.min(...rows), Math.max(...columns) - Math.min(...columns)) + 1;
  let total = 0, row = 0, column = 0;
  image.forEach((value, i) => { total += value; row += value * Math.floor(i / size); column += value * (i % size); });
  const placed = longer >= 16 && longer <= 22 && Math.abs(row / total - CENTRE) <= 2 && Math.abs(column / total - CENTRE) <= 2;
  return placed ? image : null;
}

// The ink of a drawing, whose outermost pixels all have one colour: null for an empty one, undefined for a photograph.
function inkOfSheet(channels) {
  const { height, width } = channels[0], distance = plane(height, width), rows = new Float64Array(height), columns = new Float64Array(width);
  const [red, green, blue] = channels.map((each) => each.data);
  let most = 0, strokes = 0;
  for (let i = 0; i < height * width; i++) {
    const y = Math.floor(i / width), x = i % width;
    const off = Math.max(Math.abs(red[i] - red[0]), Math.abs(green[i] - green[0]), Math.abs(blue[i] - blue[0]));
    if (off && (y === 0 || x === 0 || y === height - 1 || x === width - 1)) return undefined;
    distance.data[i] = off;
    most = Math.max(most, off);
    if (off) { strokes++; rows[y] += 1 / width; columns[x] += 1 / height; }
  }
  if (strokes > (1 - PAPER_SHARE) * height * width || Math.max(...rows, ...columns) >= LINE_SHARE) return undefined;
  return most >= FAINTEST ? mapped(distance, (value) => value / most) : null;
}

export { placePicture, readPicture };
