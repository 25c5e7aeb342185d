// The encoded transform: every frame of a sender is protected, every frame of a receiver unprotected.
// What fails goes no further.

import { protect, unprotect } from "./frames.js";
import { Receiver, Sender } from "./sframe.js";

const KEY_FRAME_PATIENCE = 500; // ms
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const digest = async (data) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
const codecOf = (frame) => frame.getMetadata().mimeType.split("/")[1].toLowerCase();

function flipped(data, at) {
  const out = data.slice();
  out[at] ^= 1;
  return out;
}

// What a hostile sender makes of one protected frame; the others are as they should be.
const MISCHIEF = {
  replay: (sealed, before) => before,
  tamper: (sealed) => flipped(sealed, sealed.length - 20),
  forge: (sealed) => flipped(sealed, 0), // a clear byte, or the SFrame header
};

async function makeSender({ keyId, baseKey, suite }, port) {
  let sender = await Sender.create(suite, keyId, baseKey);
  let mischief = null;
  let before = null;
  port.onmessage = async ({ data }) => {
    mischief = data.mischief ?? mischief;
    // Never again under the key there is: its counters would begin again.
    if (!data.key || BigInt(data.key.keyId) === sender.keyId) return;
    sender = await Sender.create(data.key.suite, data.key.keyId, data.key.baseKey);
  };
  return async (frame) => {
    const plain = new Uint8Array(frame.data);
    const sealed = await protect(codecOf(frame), sender, plain);
    let sent = sealed;
    if (mischief && before) {
      sent = MISCHIEF[mischief](sealed, before);
      mischief = null;
    } else {
      port.postMessage({ digest: await digest(plain), size: plain.length, isKey: frame.type === "key" });
    }
    before = sealed.slice(); // the frame takes the memory of what it is given
    return sent;
  };
}

async function makeReceiver({ keyId, baseKey, suite, hasLevel }, port, transformer) {
  const receiver = new Receiver(suite);
  await receiver.addKey(keyId, baseKey);
  let askedAt = -Infinity;
  port.onmessage = ({ data }) => {
    if (data.key) receiver.addKey(data.key.keyId, data.key.baseKey);
    else transformer.sendKeyFrameRequest();
  };
  return async (frame) => {
    try {
      const opened = await unprotect(codecOf(frame), receiver, new Uint8Array(frame.data));
      const plain = hasLevel ? opened.slice(0, -1) : opened; // docs/protocol.md: audio_level
      port.postMessage({ digest: await digest(plain), size: plain.length, isKey: frame.type === "key" });
      return plain;
    } catch (error) {
      port.postMessage({ rejected: error.message });
      const isVideo = frame instanceof RTCEncodedVideoFrame;
      if (isVideo && performance.now() - askedAt > KEY_FRAME_PATIENCE) {
        askedAt = performance.now();
        transformer.sendKeyFrameRequest().catch(() => {});
      }
      return null;
    }
  };
}

onrtctransform = async ({ transformer }) => {
  const { side, key, port } = transformer.options;
  const make = side === "send" ? makeSender : makeReceiver;
  const change = await make(key, port, transformer);
  const transform = new TransformStream({
    async transform(frame, controller) {
      const data = await change(frame);
      if (data === null) return;
      frame.data = data.buffer;
      controller.enqueue(frame);
    },
  });
  transformer.readable.pipeThrough(transform).pipeTo(transformer.writable);
};
