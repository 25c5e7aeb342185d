// Cost against the size of a frame, 20 B to 1 MB: the bare AEAD call, SFrame, and the whole way
// from frame to packets to frame. benchmarks/python/plot_sizes.py draws it.

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aead_nonce.h"
#include "sealroom/session/media_session.h"
#include "sealroom/sframe/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr auto kSuite = sframe::CipherSuite::aes_128_gcm_sha256_128;

void BM_AeadSealSize(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto aead =
      must(crypto::Aead::create(backend, crypto::AeadAlgorithm::aes_128_gcm, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes out(plaintext.size() + crypto::kAeadTagSize);
  const Bytes salt = pattern(crypto::kAeadNonceSize);
  std::uint64_t counter = 0;
  const Bytes aad = pattern(3);
  for (auto _ : state) {
    const crypto::AeadNonce nonce(salt, 0, ++counter);
    must(aead->seal(nonce.view(), aad, plaintext, out));
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void BM_SFrameProtectSize(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(sframe::Sender::create(backend, kSuite, KeyId{1}, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes out(plaintext.size() + sframe::kMaxOverhead);
  for (auto _ : state) must(sender.protect({}, plaintext, out));
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

session::SessionConfig config(crypto::Backend backend) {
  session::SessionConfig result;
  result.backend = backend;
  result.cname = "bench";
  return result;
}

/// Both ways in one figure: SFrame, RTP, SRTP-GCM, and back through the jitter buffer.
void BM_FrameToFrameSize(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const Bytes keys = pattern(28);
  session::MediaSession sender(config(backend));
  session::MediaSession receiver(config(backend));
  must(sender.set_keys(srtp::Profile::aead_aes_128_gcm, keys, keys));
  must(receiver.set_keys(srtp::Profile::aead_aes_128_gcm, keys, keys));
  session::SenderConfig out;
  out.codec = rtp::Codec::vp8;
  out.payload_type = PayloadType{96};
  out.ssrc = Ssrc{1};
  const auto track = must(sender.add_sender(out));
  must(sender.set_sender_key(track, kSuite, KeyId{1}, pattern(16)));
  session::ReceiverConfig in;
  in.codec = rtp::Codec::vp8;
  in.payload_type = PayloadType{96};
  in.ssrc = Ssrc{1};
  must(receiver.add_receiver_key(must(receiver.add_receiver(in)), kSuite, KeyId{1}, pattern(16)));

  Bytes frame = pattern(static_cast<std::size_t>(state.range(1)));
  frame[0] = 0;  // a key frame, so that every one stands alone
  frame[3] = 0x9d;
  frame[4] = 0x01;
  frame[5] = 0x2a;
  Bytes datagram(2000);
  TimePoint now{std::chrono::seconds(1)};
  std::uint32_t timestamp = 0;
  std::int64_t frames = 0;
  session::Event event;
  DatagramBatch::Run run;
  for (auto _ : state) {
    timestamp += 3000;
    now += std::chrono::milliseconds(33);
    must(sender.send_frame(track, {frame, RtpTimestamp{timestamp}, {}}, now, NtpTime{1}));
    while (sender.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const std::size_t size = std::min(run.segment_size, run.data.size() - at);
        std::copy_n(run.data.begin() + static_cast<std::ptrdiff_t>(at), size, datagram.begin());
        receiver.handle_datagram(MutableByteView(datagram).first(size), now, NtpTime{1});
      }
    }
    receiver.flush_feedback(now);
    while (receiver.poll_event(event, now)) ++frames;
  }
  if (frames != state.iterations()) state.SkipWithError("frames were lost");
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void sizes_and_backends(benchmark::internal::Benchmark* benchmark) {
  benchmark
      ->ArgsProduct(
          {{0, 1}, {20, 60, 160, 400, 1200, 4000, 12'000, 50'000, 150'000, 400'000, 1'000'000}})
      ->ArgNames({"backend", "bytes"});
}

BENCHMARK(BM_AeadSealSize)->Apply(sizes_and_backends);
BENCHMARK(BM_SFrameProtectSize)->Apply(sizes_and_backends);
BENCHMARK(BM_FrameToFrameSize)->Apply(sizes_and_backends);

}  // namespace
}  // namespace sealroom::bench
