// What a test calls: frame forms by themselves, and a peer connection whose every frame is encrypted.

import { DataReceiver, DataSender } from "./data.js";
import { protect, unprotect } from "./frames.js";
import { source, witness } from "./media.js";
import { Receiver, Sender } from "./sframe.js";

const worker = new Worker("worker.js", { type: "module" });

const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
const decodedKey = (key) => ({ ...key, baseKey: fromBase64(key.baseKey) });

// Each in base64.
async function protectFrames(codec, key, frames) {
  const { suite, keyId, baseKey } = decodedKey(key);
  const sender = await Sender.create(suite, keyId, baseKey);
  const out = [];
  for (const frame of frames) out.push(toBase64(await protect(codec, sender, fromBase64(frame))));
  return out;
}

// In place of a frame that is refused, { refused: why }.
async function unprotectFrames(codec, key, frames) {
  const { suite, keyId, baseKey } = decodedKey(key);
  const receiver = new Receiver(suite);
  await receiver.addKey(keyId, baseKey);
  const out = [];
  for (const frame of frames) {
    try {
      out.push(toBase64(await unprotect(codec, receiver, fromBase64(frame))));
    } catch (error) {
      out.push({ refused: error.message });
    }
  }
  return out;
}

class Peer {
  #connection;
  #keys;
  #records = {};
  #ports = {};
  #witnesses = {};
  #sent = {}; // data tracks by "stream id track id", and so the next one
  #received = {};

  // `keys`: by mid, { suite, keyId, baseKey }, of either direction; `hasLevel` if frames that arrive
  // end with their loudness.
  constructor(keys, isCareful = true) {
    this.#keys = keys;
    // With this flag no frame passes before a transform is set.
    const encodedInsertableStreams = isCareful;
    this.#connection = new RTCPeerConnection({ iceServers: [], encodedInsertableStreams });
    this.#connection.ontrack = ({ transceiver, track }) => {
      this.#witnesses[transceiver.mid] ??= witness(track);
    };
    this.#connection.ondatachannel = ({ channel }) => this.#receive(channel);
  }

  // `codecs`: one for each m-line, as "video/VP8".
  async offer(codecs, direction) {
    const streams = [new MediaStream()]; // its id, and those of the tracks, are in the offer
    for (const codec of codecs) {
      const kind = codec.split("/")[0];
      const one = this.#connection.addTransceiver(source(kind), { direction, streams });
      const { codecs: known } = RTCRtpReceiver.getCapabilities(kind);
      one.setCodecPreferences(known.filter((it) => it.mimeType === codec));
    }
    return this.#describe(await this.#connection.createOffer());
  }

  async offerRestart() {
    return this.#describe(await this.#connection.createOffer({ iceRestart: true }));
  }

  async finish(answer) {
    await this.#connection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  // `mids`: those of the offer that this end sends on, too.
  async answer(offer, mids = []) {
    await this.#connection.setRemoteDescription({ type: "offer", sdp: offer });
    for (const one of this.#connection.getTransceivers()) {
      if (!mids.includes(one.mid) || one.sender.track) continue;
      one.direction = "sendrecv";
      await one.sender.replaceTrack(source(one.receiver.track.kind));
    }
    return this.#describe(await this.#connection.createAnswer());
  }

  async #describe(description) {
    await this.#connection.setLocalDescription(description);
    this.#attachAll();
    while (this.#connection.iceGatheringState !== "complete") {
      await new Promise((done) => (this.#connection.onicegatheringstatechange = done));
    }
    return this.#connection.localDescription.sdp;
  }

  #attachAll() {
    for (const one of this.#connection.getTransceivers()) {
      this.#attach("send", one.sender, one.mid);
      this.#attach("receive", one.receiver, one.mid);
    }
  }

  #attach(side, end, mid) {
    const key = this.#keys[mid];
    if (end.transform || !key) return;
    const record = { digests: [], keyFrames: 0, rejected: {} };
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data: { rejected, digest, isKey } }) => {
      if (rejected) {
        record.rejected[rejected] = (record.rejected[rejected] ?? 0) + 1;
        return;
      }
      record.digests.push(digest);
      record.keyFrames += isKey;
    };
    this.#records[`${side} ${mid}`] = record;
    this.#ports[`${side} ${mid}`] = port1;
    const options = { side, key: decodedKey(key), port: port2 };
    end.transform = new RTCRtpScriptTransform(worker, options, [port2]);
  }

  // Keys by mid: of new m-lines, and newer ones of m-lines there are.
  addKeys(keys) {
    for (const [mid, key] of Object.entries(keys)) {
      this.#keys[mid] = key;
      for (const side of ["send", "receive"]) {
        this.#ports[`${side} ${mid}`]?.postMessage({ key: decodedKey(key) });
      }
    }
    this.#attachAll();
  }

  askForKeyFrame(mid) {
    this.#ports[`receive ${mid}`].postMessage({});
  }

  // A data track of this end, in the next offer.
  openData(streamId, trackId) {
    const label = `${streamId} ${trackId}`;
    const channel = this.#connection.createDataChannel(label);
    this.#sent[label] = { channel, sender: new DataSender(streamId, trackId) };
  }

  // Keys of data tracks by label: { epoch, key, salt }, the last two in base64.
  async addDataKeys(keys) {
    for (const [label, { epoch, key, salt }] of Object.entries(keys)) {
      const decoded = { epoch, key: fromBase64(key), salt: fromBase64(salt) };
      const track = this.#sent[label]?.sender ?? this.#receiver(label);
      await track.addKey(decoded);
    }
  }

  // In base64, one after the other.
  async sendData(label, messages) {
    const { channel, sender } = this.#sent[label];
    if (channel.readyState === "connecting") await new Promise((done) => (channel.onopen = done));
    for (const message of messages) channel.send(await sender.seal(fromBase64(message)));
  }

  // What came on a data track so far: { sequence, missing, data } or { refused }.
  receivedData(label) {
    return this.#received[label]?.messages ?? [];
  }

  #receiver(label) {
    const make = () => ({ receiver: new DataReceiver(...label.split(" ")), messages: [] });
    return (this.#received[label] ??= make()).receiver;
  }

  #receive(channel) {
    const receiver = this.#receiver(channel.label);
    const { messages } = this.#received[channel.label];
    let before = Promise.resolve();
    channel.binaryType = "arraybuffer";
    channel.onmessage = ({ data }) => {
      before = before.then(async () => {
        try {
          const opened = await receiver.open(new Uint8Array(data));
          messages.push({ ...opened, data: toBase64(opened.data) });
        } catch (error) {
          messages.push({ refused: error.message });
        }
      });
    };
  }

  // The next frame sent on this m-line is not as it should be: "replay", "tamper" or "forge".
  misbehave(mid, how) {
    this.#ports[`send ${mid}`].postMessage({ mischief: how });
  }

  // What passed the transform of an m-line, as "send 0": SHA-256 of each frame in clear, refusals.
  record(name) {
    return this.#records[name];
  }

  look(mid) {
    return this.#witnesses[mid]?.look() ?? null;
  }

  async statistics() {
    const all = [...(await this.#connection.getStats()).values()];
    const known = new Map(all.map((one) => [one.id, one]));
    return all
      .filter(({ type }) => ["inbound-rtp", "outbound-rtp", "transport"].includes(type))
      .map((one) => ({ ...one, mimeType: known.get(one.codecId)?.mimeType }));
  }
}

Object.assign(window, { Peer, protectFrames, unprotectFrames, peers: [] });
