// A 50 kB frame to packets and back in memory: SFrame (AES-128-GCM), RTP, SRTP, jitter buffer.
// Items are packets, each way apart; `ns/packet` is their CPU time. The bare AEAD or cipher work in
// it is one pass over the frame and one over each packet: BM_AeadSeal of sframe_bench at 50,000 B /
// 42 and BM_SrtpProtect of srtp_bench at 1200 B.

#include <array>

#include "sealroom/session/media_session.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr std::size_t kFrameSize = 50'000;
constexpr auto kSuite = sframe::CipherSuite::aes_128_gcm_sha256_128;

srtp::Profile profile_of(const benchmark::State& state) {
  return state.range(1) == 0 ? srtp::Profile::aead_aes_128_gcm : srtp::Profile::aes128_cm_sha1_80;
}

void report(benchmark::State& state, std::size_t packets, std::size_t frames = 1) {
  state.SetItemsProcessed(static_cast<std::int64_t>(packets));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(frames * kFrameSize));
  state.counters["ns/packet"] =
      benchmark::Counter(static_cast<double>(packets) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

struct Ends {
  Ends(crypto::Backend backend, srtp::Profile profile)
      : sender(config(backend)), receiver(config(backend)) {
    const auto parameters = must(srtp::profile_parameters(profile));
    const Bytes a = pattern(parameters.key_size + parameters.salt_size);
    must(sender.set_keys(profile, a, a));
    must(receiver.set_keys(profile, a, a));
    session::SenderConfig out;
    out.codec = rtp::Codec::vp8;
    out.payload_type = PayloadType{96};
    out.ssrc = Ssrc{1};
    sender_id = must(sender.add_sender(out));
    session::ReceiverConfig in;
    in.codec = rtp::Codec::vp8;
    in.payload_type = PayloadType{96};
    in.ssrc = Ssrc{1};
    receiver_id = must(receiver.add_receiver(in));
    must(sender.set_sender_key(sender_id, kSuite, KeyId{1}, pattern(16)));
    must(receiver.add_receiver_key(receiver_id, kSuite, KeyId{1}, pattern(16)));
    frame = pattern(kFrameSize);
    frame[0] = 0;
    frame[3] = 0x9d;
    frame[4] = 0x01;
    frame[5] = 0x2a;
  }

  static session::SessionConfig config(crypto::Backend backend) {
    session::SessionConfig result;
    result.backend = backend;
    result.cname = "bench";
    return result;
  }

  void send() {
    timestamp += 3000;
    must(sender.send_frame(sender_id, {frame, RtpTimestamp{timestamp}, {}}, now, NtpTime{1}));
  }

  /// Copies what was sent, a run of datagrams of the returned size; the receiver opens in place.
  std::size_t take(Bytes& datagrams) {
    DatagramBatch::Run run;
    std::size_t segment_size = 0;
    datagrams.clear();
    while (sender.poll_transmit(run)) {
      if (segment_size != 0) std::abort();
      datagrams.insert(datagrams.end(), run.data.begin(), run.data.end());
      segment_size = run.segment_size;
    }
    return segment_size;
  }

  session::MediaSession sender;
  session::MediaSession receiver;
  session::SenderId sender_id{};
  session::ReceiverId receiver_id{};
  Bytes frame;
  std::uint32_t timestamp = 0;
  TimePoint now{std::chrono::seconds(1)};
};

void BM_FrameToPackets(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  Ends ends(backend, profile_of(state));
  std::size_t packets = 0;
  DatagramBatch::Run run;
  for (auto _ : state) {
    ends.send();
    while (ends.sender.poll_transmit(run)) {
      packets += (run.data.size() + run.segment_size - 1) / run.segment_size;
    }
  }
  report(state, packets);
}

void BM_PacketsToFrame(benchmark::State& state) {
  // Stopping the clock is two system calls: for one frame they would show.
  constexpr std::size_t kFramesAtOnce = 4;
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  Ends ends(backend, profile_of(state));
  std::array<Bytes, kFramesAtOnce> datagrams;
  std::array<std::vector<MutableByteView>, kFramesAtOnce> views;
  std::size_t packets = 0;
  std::size_t frames = 0;
  session::Event event;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::size_t i = 0; i < kFramesAtOnce; ++i) {
      ends.send();
      const std::size_t segment_size = ends.take(datagrams[i]);
      views[i].clear();
      for (MutableByteView rest(datagrams[i]); !rest.empty();) {
        views[i].push_back(rest.first(std::min(segment_size, rest.size())));
        rest = rest.subspan(views[i].back().size());
      }
      packets += views[i].size();
    }
    state.ResumeTiming();
    for (const auto& arrived : views) {
      ends.receiver.handle_datagrams(arrived, ends.now, NtpTime{1});
      ends.receiver.flush_feedback(ends.now);
      while (ends.receiver.poll_event(event, ends.now)) ++frames;
    }
  }
  if (frames != kFramesAtOnce * static_cast<std::size_t>(state.iterations())) {
    state.SkipWithError("frames were lost");
  }
  report(state, packets, kFramesAtOnce);
}

void backends_and_profiles(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {0, 1}})->ArgNames({"backend", "cm_sha1"});
}

BENCHMARK(BM_FrameToPackets)->Apply(backends_and_profiles);
BENCHMARK(BM_PacketsToFrame)->Apply(backends_and_profiles);

}  // namespace
}  // namespace sealroom::bench
