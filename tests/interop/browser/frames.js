// The media frames of docs/wire.md: what stays readable of an encoded frame, and what SFrame hides.

import { concat } from "./sframe.js";
import * as av1 from "./av1.js";
import * as h264 from "./h264.js";

const NOTHING = new Uint8Array();

const opaque = {
  protect: (sender, frame) => sender.protect(NOTHING, frame),
  unprotect: (receiver, frame) => receiver.unprotect(NOTHING, frame),
};

function vp8ClearSize(frame) {
  const isKey = frame.length >= 10 && (frame[0] & 1) === 0 &&
    frame[3] === 0x9d && frame[4] === 0x01 && frame[5] === 0x2a;
  return isKey ? 10 : 1;
}

const vp8 = {
  async protect(sender, frame) {
    const size = vp8ClearSize(frame);
    const clear = frame.subarray(0, size);
    while (true) {
      const out = concat(clear, await sender.protect(clear, frame.subarray(size)));
      if (vp8ClearSize(out) === size) return out;
    }
  },
  async unprotect(receiver, frame) {
    const size = vp8ClearSize(frame);
    const clear = frame.subarray(0, size);
    return concat(clear, await receiver.unprotect(clear, frame.subarray(size)));
  },
};

const FORMS = { opus: opaque, vp9: opaque, vp8, h264, av1 };

export const protect = (codec, sender, frame) => FORMS[codec].protect(sender, frame);
export const unprotect = (codec, receiver, frame) => FORMS[codec].unprotect(receiver, frame);
