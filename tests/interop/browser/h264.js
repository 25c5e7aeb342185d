// H.264 (Annex B) of docs/wire.md: copies of the parameter sets, then one slice that holds the frame.

import { concat } from "./sframe.js";

const START_CODE = new Uint8Array([0, 0, 0, 1]);
const STAND_IN_SLICE = new Uint8Array([0x41, 0x9a, 0x80]);
const CLEAR_OF_SLICE = 3;
const MAX_CLEAR = 1024;
const STOP = 0x80;

const isOfType = (header, ...types) => (header & 0x80) === 0 && types.includes(header & 31);
const isSlice = (header) => isOfType(header, 1, 5);
const isParameterSet = (header) => isOfType(header, 7, 8);

// Where the next 00 00 01 is, or the end.
function findStartCode(stream, from) {
  for (let i = from; i + 2 < stream.length; ++i) {
    if (stream[i] === 0 && stream[i + 1] === 0 && stream[i + 2] === 1) return i;
  }
  return stream.length;
}

// The NAL units: where each begins, and its bytes without the zeros behind it.
function* nalUnits(stream) {
  let code = findStartCode(stream, 0);
  while (code + 3 < stream.length) {
    const begin = code + 3;
    code = findStartCode(stream, begin);
    let end = code;
    while (end > begin && stream[end - 1] === 0) --end;
    yield { begin, bytes: stream.subarray(begin, end) };
  }
}

function hasThreeZeros(bytes) {
  return bytes.some((_, i) => i >= 2 && !bytes[i] && !bytes[i - 1] && !bytes[i - 2]);
}

function clearBytes(frame) {
  const parts = [];
  let left = MAX_CLEAR - START_CODE.length - CLEAR_OF_SLICE;
  let slice = STAND_IN_SLICE;
  for (const { begin, bytes } of nalUnits(frame)) {
    if (isSlice(frame[begin]) && frame.length - begin >= CLEAR_OF_SLICE) {
      slice = frame.subarray(begin, begin + CLEAR_OF_SLICE);
      break;
    }
    if (!isParameterSet(frame[begin]) || bytes.length < 2 || hasThreeZeros(bytes)) continue;
    left -= START_CODE.length + bytes.length;
    if (left >= 0) parts.push(START_CODE, bytes);
    else left = -Infinity;
  }
  return concat(...parts, START_CODE, slice);
}

function escape(payload) {
  const out = [];
  let zeros = 0;
  for (const byte of payload) {
    if (zeros >= 2 && byte <= 3) {
      out.push(3);
      zeros = 0;
    }
    out.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return new Uint8Array(out);
}

function unescape(payload) {
  const out = [];
  let zeros = 0;
  payload.forEach((byte, i) => {
    if (zeros >= 2 && byte <= 3) {
      if (byte !== 3 || !(payload[i + 1] <= 3)) throw new Error("malformed");
      zeros = 0;
      return;
    }
    out.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  });
  return new Uint8Array(out);
}

export async function protect(sender, frame) {
  const clear = clearBytes(frame);
  const shown = clear.length - 2;
  const sealed = await sender.protect(clear, frame);
  return concat(clear.subarray(0, shown), escape(concat(clear.subarray(shown), sealed, [STOP])));
}

export async function unprotect(receiver, stream) {
  const units = [...nalUnits(stream)].map((unit) => unit.bytes);
  const slice = units.pop() ?? [];
  const isOurs = stream.subarray(0, findStartCode(stream, 0)).every((byte) => byte === 0) &&
    units.every((unit) => isParameterSet(unit[0])) && isSlice(slice[0]) &&
    slice.length > CLEAR_OF_SLICE && slice.at(-1) === STOP;
  if (!isOurs) throw new Error("malformed");
  const sets = units.flatMap((unit) => [START_CODE, unit]);
  const clear = concat(...sets, START_CODE, slice.subarray(0, CLEAR_OF_SLICE));
  if (clear.length > MAX_CLEAR) throw new Error("malformed");
  const payload = unescape(slice.subarray(1));
  return receiver.unprotect(clear, payload.subarray(2, -1));
}
