// What this end shows and plays, and what it sees and hears of the other.

const WIDTH = 160;
const HEIGHT = 120;
const FRAME_RATE = 20;
const TONE = 1000; // Hz

// Left half red, right half blue, and noise at the bottom, so that frames take several packets.
function bars() {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const paint = canvas.getContext("2d");
  const noise = paint.createImageData(WIDTH, HEIGHT / 4);
  const draw = () => {
    paint.fillStyle = "rgb(220 0 0)";
    paint.fillRect(0, 0, WIDTH / 2, HEIGHT);
    paint.fillStyle = "rgb(0 0 220)";
    paint.fillRect(WIDTH / 2, 0, WIDTH / 2, HEIGHT);
    crypto.getRandomValues(noise.data.subarray(0, 65536));
    noise.data.forEach((_, i) => i % 4 === 3 && (noise.data[i] = 255));
    paint.putImageData(noise, 0, (3 * HEIGHT) / 4);
  };
  draw();
  setInterval(draw, 1000 / FRAME_RATE);
  return canvas.captureStream(FRAME_RATE).getVideoTracks()[0];
}

const audio = new AudioContext({ sampleRate: 48000 });

function tone() {
  const oscillator = new OscillatorNode(audio, { frequency: TONE });
  const volume = new GainNode(audio, { gain: 0.4 });
  const out = audio.createMediaStreamDestination();
  oscillator.connect(volume).connect(out);
  oscillator.start();
  return out.stream.getAudioTracks()[0];
}

export const source = (kind) => (kind === "video" ? bars() : tone());

// The last picture of a video track: its size, and a colour in the middle of each half.
class Eye {
  constructor(track) {
    this.video = Object.assign(document.createElement("video"), {
      srcObject: new MediaStream([track]), muted: true, autoplay: true,
    });
  }
  look() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width) return null;
    const canvas = new OffscreenCanvas(width, height);
    const paint = canvas.getContext("2d", { willReadFrequently: true });
    paint.drawImage(this.video, 0, 0);
    const colour = (x) => [...paint.getImageData(x, height / 2, 1, 1).data.slice(0, 3)];
    return { width, height, left: colour(width / 4), right: colour((3 * width) / 4) };
  }
}

// The loudest frequency of an audio track in Hz, and how loud it is in dB.
class Ear {
  constructor(track) {
    const stream = new MediaStream([track]);
    // Chromium feeds WebAudio from a track of the network only while an element plays it.
    this.element = Object.assign(new Audio(), { srcObject: stream, muted: true });
    this.element.play();
    this.analyser = new AnalyserNode(audio, { fftSize: 8192 });
    audio.createMediaStreamSource(stream).connect(this.analyser);
  }
  look() {
    const spectrum = new Float32Array(this.analyser.frequencyBinCount);
    this.analyser.getFloatFrequencyData(spectrum);
    const level = Math.max(...spectrum);
    const hertz = (spectrum.indexOf(level) * audio.sampleRate) / this.analyser.fftSize;
    return Number.isFinite(level) ? { hertz, level } : null;
  }
}

export const witness = (track) => (track.kind === "video" ? new Eye(track) : new Ear(track));
