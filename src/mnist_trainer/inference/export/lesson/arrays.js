// Arrays of the page: lesson_data.py, array_part. Compressed (zlib), the bytes of a number apart, in base64.

const TYPES = { uint8: Uint8Array, int8: Int8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, float32: Float32Array };

// {type, shape, data} to {shape, values}: a typed array.
export async function decode(part) {
  const packed = Uint8Array.from(atob(part.data), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const Type = TYPES[part.type], size = Type.BYTES_PER_ELEMENT, count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0, i = 0; plane < size; plane++)
    for (let number = 0; number < count; number++, i++) bytes[number * size + plane] = planes[i];
  return { shape: part.shape, values: new Type(bytes.buffer) };  // Little-endian, as every browser's machine is.
}

// The numbers of a network as Float64Array: float32, or whole multiples of the step of their tensor; step 0 marks a tensor that is
// kept in `exact`.
export async function decodeNumbers(part) {
  const numbers = Float64Array.from((await decode(part)).values);
  if (!part.steps) return numbers;
  const exact = (await decode(part.exact)).values;
  let at = 0, taken = 0;
  for (const [count, step] of part.steps) for (const end = at + count; at < end; at++) numbers[at] = step ? numbers[at] * step : exact[taken++];
  return numbers;
}
