// Cutting a frame into payloads and joining it again, per codec. One iteration is a frame; the
// counter `packet` is the time per packet. Beside it the AEAD call that a packet of the same size
// costs: what cutting and joining add to it is their share.

#include <array>
#include <vector>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aead_nonce.h"
#include "sealroom/rtp/payload_format.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr std::size_t kMaxPayload = 1150;

/// What the codec's packetizer takes: one slice, one OBU, or just bytes.
Bytes make_frame(rtp::Codec codec, std::size_t size) {
  Bytes frame = pattern(size);
  for (std::uint8_t& byte : frame) byte |= 2;
  if (codec == rtp::Codec::h264) frame[0] = frame[1] = 0, frame[2] = 1, frame[3] = 0x65;
  if (codec == rtp::Codec::av1) frame[0] = 0x30;
  return frame;
}

void count(benchmark::State& state, std::size_t packets, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.counters["packet"] = benchmark::Counter(
      static_cast<double>(packets),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void packetize(benchmark::State& state, rtp::Codec codec) {
  const Bytes frame = make_frame(codec, static_cast<std::size_t>(state.range(0)));
  const auto packetizer = rtp::Packetizer::create(codec);
  std::array<std::uint8_t, kMaxPayload> out;
  const rtp::FrameInfo info{false, 0, 0};
  std::size_t packets = 0;
  for (auto _ : state) {
    packets = must(packetizer->start(frame, kMaxPayload, info));
    for (std::size_t i = 0; i < packets; ++i) {
      benchmark::DoNotOptimize(must(packetizer->write_next(out)));
    }
  }
  count(state, packets, frame.size());
}

void depacketize(benchmark::State& state, rtp::Codec codec) {
  const Bytes frame = make_frame(codec, static_cast<std::size_t>(state.range(0)));
  const auto packetizer = rtp::Packetizer::create(codec);
  const std::size_t packets = must(packetizer->start(frame, kMaxPayload));
  std::vector<Bytes> payloads(packets, Bytes(kMaxPayload));
  for (Bytes& payload : payloads) payload.resize(must(packetizer->write_next(payload)));
  std::array<std::uint8_t, 1500> scratch;
  Bytes joined;
  for (auto _ : state) {
    joined.clear();
    for (const Bytes& payload : payloads) {
      const auto part = must(rtp::depacketize(codec, payload, scratch));
      joined.insert(joined.end(), part.data.begin(), part.data.end());
    }
    if (!rtp::finish_frame(codec, joined)) state.SkipWithError("the frame is not whole");
    benchmark::DoNotOptimize(joined.data());
  }
  count(state, packets, frame.size());
}

void BM_BareSeal(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto aead =
      must(crypto::Aead::create(backend, crypto::AeadAlgorithm::aes_256_gcm, pattern(32)));
  const Bytes plaintext = pattern(kMaxPayload);
  Bytes out(plaintext.size() + crypto::kAeadTagSize);
  const Bytes salt = pattern(crypto::kAeadNonceSize);
  std::uint64_t counter = 0;
  for (auto _ : state) {
    const crypto::AeadNonce nonce(salt, 0, ++counter);
    must(aead->seal(nonce.view(), {}, plaintext, out));
  }
  count(state, 1, plaintext.size());
}

void BM_PacketizeVp8(benchmark::State& state) { packetize(state, rtp::Codec::vp8); }
void BM_PacketizeVp9(benchmark::State& state) { packetize(state, rtp::Codec::vp9); }
void BM_PacketizeH264(benchmark::State& state) { packetize(state, rtp::Codec::h264); }
void BM_PacketizeAv1(benchmark::State& state) { packetize(state, rtp::Codec::av1); }
void BM_DepacketizeVp8(benchmark::State& state) { depacketize(state, rtp::Codec::vp8); }
void BM_DepacketizeVp9(benchmark::State& state) { depacketize(state, rtp::Codec::vp9); }
void BM_DepacketizeH264(benchmark::State& state) { depacketize(state, rtp::Codec::h264); }
void BM_DepacketizeAv1(benchmark::State& state) { depacketize(state, rtp::Codec::av1); }

void frame_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(2'500)->Arg(50'000)->ArgName("bytes");
}

BENCHMARK(BM_BareSeal)->Arg(0)->Arg(1)->ArgName("backend");
BENCHMARK(BM_PacketizeVp8)->Apply(frame_sizes);
BENCHMARK(BM_PacketizeVp9)->Apply(frame_sizes);
BENCHMARK(BM_PacketizeH264)->Apply(frame_sizes);
BENCHMARK(BM_PacketizeAv1)->Apply(frame_sizes);
BENCHMARK(BM_DepacketizeVp8)->Apply(frame_sizes);
BENCHMARK(BM_DepacketizeVp9)->Apply(frame_sizes);
BENCHMARK(BM_DepacketizeH264)->Apply(frame_sizes);
BENCHMARK(BM_DepacketizeAv1)->Apply(frame_sizes);

}  // namespace
}  // namespace sealroom::bench
