// Messages of data tracks, as docs/wire.md has them.

import { concat } from "./sframe.js";

const VERSION = 1;
const HEADER_SIZE = 17;
const TAG_SIZE = 16;
const MAX_SIZE = 16384;

function field(text) {
  const bytes = new TextEncoder().encode(text);
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, bytes.length);
  return concat(size, bytes);
}

// One track under the keys of its epochs; `key` and `salt` of each are the track's own.
class Track {
  constructor(streamId, trackId) {
    const label = new TextEncoder().encode("sealroom/1 data message\0");
    this.bound = concat(label, field(streamId), field(trackId));
    this.epochs = new Map();
    this.newest = 0n;
  }

  async addKey({ epoch, key, salt }) {
    const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, [
      "encrypt", "decrypt",
    ]);
    this.epochs.set(BigInt(epoch), { key: imported, salt });
    if (BigInt(epoch) > this.newest) this.newest = BigInt(epoch);
  }

  parameters(header, { salt }, sequence) {
    const iv = salt.slice();
    for (let i = iv.length - 1, left = sequence; left; --i, left >>= 8n) iv[i] ^= Number(left & 0xffn);
    return { name: "AES-GCM", iv, additionalData: concat(this.bound, header) };
  }
}

export class DataSender extends Track {
  #next = 0n;

  async seal(data) {
    if (data.length > MAX_SIZE) throw new Error("too big");
    const sequence = this.#next++;
    const header = new Uint8Array(HEADER_SIZE);
    const view = new DataView(header.buffer);
    view.setUint8(0, VERSION);
    view.setBigUint64(1, this.newest);
    view.setBigUint64(9, sequence);
    const epoch = this.epochs.get(this.newest);
    const parameters = this.parameters(header, epoch, sequence);
    return concat(header, new Uint8Array(await crypto.subtle.encrypt(parameters, epoch.key, data)));
  }
}

export class DataReceiver extends Track {
  #next = null;
  #epoch = 0n;

  async open(message) {
    if (message.length < HEADER_SIZE + TAG_SIZE || message[0] !== VERSION) throw new Error("malformed");
    const header = message.subarray(0, HEADER_SIZE);
    const view = new DataView(message.buffer, message.byteOffset);
    const number = view.getBigUint64(1);
    const sequence = view.getBigUint64(9);
    const epoch = this.epochs.get(number);
    if (!epoch) throw new Error("unknown epoch");
    const parameters = this.parameters(header, epoch, sequence);
    const sealed = message.subarray(HEADER_SIZE);
    const opened = await crypto.subtle.decrypt(parameters, epoch.key, sealed).catch(() => {
      throw new Error("authentication failed");
    });
    if (number < this.#epoch) throw new Error("old epoch");
    if (this.#next !== null && sequence < this.#next) throw new Error("replayed or reordered");
    const missing = this.#next === null ? 0n : sequence - this.#next;
    this.#epoch = number;
    this.#next = sequence + 1n;
    return { sequence: Number(sequence), missing: Number(missing), data: new Uint8Array(opened) };
  }
}
