// SFrame (RFC 9605) with the AES-GCM suites, over WebCrypto alone.

const SUITES = {
  4: { hash: "SHA-256", keySize: 16 },
  5: { hash: "SHA-512", keySize: 32 },
};
const NONCE_SIZE = 12;
const TAG_SIZE = 16;
const REPLAY_WINDOW = 1024n;

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function bigEndian(value, size) {
  const out = new Uint8Array(size);
  for (let i = size - 1; i >= 0; --i, value >>= 8n) out[i] = Number(value & 0xffn);
  return out;
}

function minimalBytes(value) {
  let size = 1;
  while (size < 8 && value >> BigInt(8 * size) !== 0n) ++size;
  return bigEndian(value, size);
}

// Section 4.4.2.
async function deriveKey(suite, keyId, baseKey) {
  const { hash, keySize } = SUITES[suite];
  const secret = await crypto.subtle.importKey("raw", baseKey, "HKDF", false, ["deriveBits"]);
  const expand = (label, size) => {
    const info = concat(
      new TextEncoder().encode(label), bigEndian(keyId, 8), bigEndian(BigInt(suite), 2));
    const salt = new Uint8Array();
    return crypto.subtle.deriveBits({ name: "HKDF", hash, salt, info }, secret, 8 * size);
  };
  const key = await expand("SFrame 1.0 Secret key ", keySize);
  return {
    key: await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]),
    salt: new Uint8Array(await expand("SFrame 1.0 Secret salt ", NONCE_SIZE)),
  };
}

// Section 4.4.3: what AES-GCM is called with.
function gcm({ salt }, counter, header, metadata) {
  const iv = bigEndian(counter, NONCE_SIZE).map((byte, i) => byte ^ salt[i]);
  return { name: "AES-GCM", iv, additionalData: concat(header, metadata), tagLength: 8 * TAG_SIZE };
}

// Section 4.3: X K3 Y C3, then the key id and the counter where three bits do not hold them.
function writeHeader(keyId, counter) {
  const field = (value) => (value < 8n ? [Number(value), []] : wide(minimalBytes(value)));
  const wide = (bytes) => [8 | (bytes.length - 1), bytes];
  const [k, keyBytes] = field(keyId);
  const [c, counterBytes] = field(counter);
  return concat([(k << 4) | c], keyBytes, counterBytes);
}

export function readHeader(frame) {
  if (frame.length === 0) throw new Error("truncated");
  let size = 1;
  const field = (bits) => {
    if (bits < 8) return BigInt(bits);
    const count = (bits & 7) + 1;
    if (size + count > frame.length) throw new Error("truncated");
    let value = 0n;
    for (let i = 0; i < count; ++i) value = (value << 8n) | BigInt(frame[size + i]);
    if (value < 8n || minimalBytes(value).length !== count) throw new Error("malformed");
    size += count;
    return value;
  };
  return { keyId: field(frame[0] >> 4), counter: field(frame[0] & 15), size };
}

export class Sender {
  #counter = 0n;

  static async create(suite, keyId, baseKey) {
    const sender = new Sender();
    sender.keyId = BigInt(keyId);
    sender.cipher = await deriveKey(suite, sender.keyId, baseKey);
    return sender;
  }

  async protect(metadata, plaintext) {
    const counter = this.#counter++;
    const header = writeHeader(this.keyId, counter);
    const parameters = gcm(this.cipher, counter, header, metadata);
    const sealed = await crypto.subtle.encrypt(parameters, this.cipher.key, plaintext);
    return concat(header, new Uint8Array(sealed));
  }
}

export class Receiver {
  #keys = new Map();

  constructor(suite) {
    this.suite = suite;
  }

  // A key id keeps its key, and so what is known of its counters.
  async addKey(keyId, baseKey) {
    const id = BigInt(keyId);
    const cipher = await deriveKey(this.suite, id, baseKey);
    if (!this.#keys.has(id)) this.#keys.set(id, { cipher, newest: -1n, seen: new Set() });
  }

  async unprotect(metadata, frame) {
    const { keyId, counter, size } = readHeader(frame);
    if (frame.length < size + TAG_SIZE) throw new Error("truncated");
    const key = this.#keys.get(keyId);
    if (!key) throw new Error("unknown key id");
    if (counter + REPLAY_WINDOW <= key.newest || key.seen.has(counter)) throw new Error("replayed");
    const parameters = gcm(key.cipher, counter, frame.subarray(0, size), metadata);
    let opened;
    try {
      opened = await crypto.subtle.decrypt(parameters, key.cipher.key, frame.subarray(size));
    } catch {
      throw new Error("authentication failed");
    }
    key.seen.add(counter);
    if (counter > key.newest) key.newest = counter;
    for (const old of key.seen) if (old + REPLAY_WINDOW <= key.newest) key.seen.delete(old);
    return new Uint8Array(opened);
  }
}
