// AV1 of docs/wire.md: a copy of the sequence header, then one OBU_FRAME that holds the frame.

import { concat } from "./sframe.js";

const SEQUENCE_HEADER = 1;
const MAY_PRECEDE = [2, 5, 15]; // temporal delimiters, metadata, padding
const MAX_SEQUENCE_HEADER = 1024;
const MAX_SIZE_BYTES = 8;
const NOTHING = new Uint8Array();

// The payload at `at`, behind its size if it has one, and where it ends.
function readPayload(data, at, hasSize) {
  let size = data.length - at;
  if (hasSize) {
    size = 0;
    for (let i = 0; ; ++i) {
      if (i === MAX_SIZE_BYTES || at >= data.length) throw new Error("malformed");
      const byte = data[at++];
      size += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) break;
    }
  }
  if (size > data.length - at) throw new Error("malformed");
  return { payload: data.subarray(at, at + size), end: at + size };
}

function leb128(size) {
  const out = [];
  for (; size >= 0x80; size >>= 7) out.push((size & 0x7f) | 0x80);
  return [...out, size];
}

function sequenceHeader(frame) {
  try {
    for (let at = 0; at < frame.length; ) {
      const header = frame[at];
      if (header & 0x80) break;
      const begin = at + (header & 4 ? 2 : 1);
      if (begin > frame.length) break;
      const { payload, end } = readPayload(frame, begin, (header & 2) !== 0);
      if (header >> 3 === SEQUENCE_HEADER) {
        return payload.length <= MAX_SEQUENCE_HEADER ? payload : NOTHING;
      }
      if (!MAY_PRECEDE.includes(header >> 3)) break;
      at = end;
    }
  } catch {
    // Not well-formed: no sequence header.
  }
  return NOTHING;
}

export async function protect(sender, frame) {
  const header = sequenceHeader(frame);
  const sealed = await sender.protect(header, frame);
  const shown = header.length ? concat([0x0a], leb128(header.length), header) : NOTHING;
  return concat(shown, [0x30], sealed);
}

export async function unprotect(receiver, frame) {
  let at = frame[0] === 0x12 && frame[1] === 0 ? 2 : 0;
  let header = NOTHING;
  if (frame[at] === 0x0a) {
    const read = readPayload(frame, at + 1, true);
    header = read.payload;
    at = read.end;
    if (header.length < 1 || header.length > MAX_SEQUENCE_HEADER) throw new Error("malformed");
  }
  if (frame[at] !== 0x30 && frame[at] !== 0x32) throw new Error("malformed");
  const { payload, end } = readPayload(frame, at + 1, frame[at] === 0x32);
  if (end !== frame.length) throw new Error("malformed");
  return receiver.unprotect(header, payload);
}
