// A network of the page: decoded, traced layer by layer, copied, scored.
import { LAYERS, bind, softmax } from "../page/network.js";
import { decodeNumbers } from "./arrays.js";

const PARAMETERS = ["weight", "bias"];

export async function loadNetwork(description) {
  const network = bind(description, await decodeNumbers(description.numbers));
  network.steps = [...network.transforms, ...network.layers];
  return network;
}

// Bytes of an image, or numbers from 0 to 1, as the network's input.
export function inputOf(image) {
  const scale = image instanceof Uint8Array ? 1 / 255 : 1;
  return { channels: 1, height: 28, width: 28, data: Float64Array.from(image, (level) => level * scale) };
}

// The outputs of all steps for an image: values[0] is the input, values[i + 1] the output of steps[i].
export function trace(network, image) {
  const values = [inputOf(image)];
  for (const step of network.steps) values.push(LAYERS[step.type](step, values.at(-1)));
  return values;
}

export const logitsFor = (network, image) => trace(network, image).at(-1).data;

// {values, logits, probabilities, best} of an image.
export function answerTo(network, image) {
  const values = trace(network, image), logits = values.at(-1).data, probabilities = softmax(logits);
  return { values, logits, probabilities, best: logits.indexOf(Math.max(...logits)) };
}

// All parameters: {layer, kind, name, values}, name as in the state_dict of the run.
export function parametersOf(network) {
  return network.layers.flatMap((layer) => PARAMETERS.filter((kind) => layer[kind])
    .map((kind) => ({ layer, kind, name: `${layer.name}.${kind}`, values: layer[kind] })));
}

// A network with parameters of its own, to be changed while the original stays: change(values, parameter) gives the new ones.
export function withParameters(network, change = (values) => values.slice()) {
  const layers = network.layers.map((layer) => ({ ...layer }));
  const copy = { ...network, layers, steps: [...network.transforms, ...layers] };
  for (const parameter of parametersOf(copy)) parameter.layer[parameter.kind] = change(parameter.values, parameter);
  return copy;
}

// The number of images (Uint8Array, 784 bytes each) whose label a network answers, from the first up to but not including the last.
export function countCorrect(network, images, labels, first = 0, last = labels.length) {
  let correct = 0;
  for (let i = first; i < last; i++) correct += answerTo(network, imageAt(images, i)).best === labels[i];
  return correct;
}

export const imageAt = (images, i) => images.subarray(784 * i, 784 * (i + 1));
