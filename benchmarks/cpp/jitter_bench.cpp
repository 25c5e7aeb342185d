// The jitter buffers by themselves (items are packets): in order, reversed within a frame, with
// losses that come back, with a span that never closes. Per packet they must not differ much with
// the size of a frame or the span: that is O(1).

#include <array>
#include <vector>

#include "sealroom/jitter/audio_jitter_buffer.h"
#include "sealroom/jitter/video_jitter_buffer.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr std::size_t kPayload = 1187;

enum class Order { in_order, reversed, recovered };

/// Frames of range(0) packets. The floor is one copy of the payload, BM_Copy.
void run_video(benchmark::State& state, Order order, bool keep_frames) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Bytes payload = pattern(kPayload);
  jitter::VideoJitterBuffer buffer;
  jitter::VideoFrame frame;
  std::array<std::uint16_t, 64> nacks{};
  TimePoint now{std::chrono::seconds(1)};
  std::uint16_t first = 0;
  std::uint32_t timestamp = 0;
  std::size_t frames = 0;
  const auto insert = [&](std::size_t i) {
    jitter::VideoPacket packet;
    packet.sequence_number = static_cast<std::uint16_t>(first + i);
    packet.timestamp = RtpTimestamp{timestamp};
    packet.marker = i + 1 == count;
    packet.starts_frame = i == 0;
    packet.is_key_frame = frames == 0;
    packet.payload = payload;
    buffer.insert(packet, now);
  };
  for (auto _ : state) {
    now += std::chrono::milliseconds(33);
    timestamp += 3000;
    if (order == Order::reversed) {
      for (std::size_t i = count; i > 0; --i) insert(i - 1);
    } else {
      const std::size_t every = order == Order::recovered && frames > 0 ? 20 : 0;
      for (std::size_t i = 0; i < count; ++i) {
        if (every == 0 || i % every != 5) insert(i);
      }
      benchmark::DoNotOptimize(buffer.take_nacks(now, nacks));
      for (std::size_t i = 5; every > 0 && i < count; i += every) insert(i);
    }
    if (keep_frames) frame = jitter::VideoFrame();
    while (buffer.pop(frame)) ++frames;
    benchmark::DoNotOptimize(frame.data.data());
    first = static_cast<std::uint16_t>(first + count);
  }
  if (frames + 1 < static_cast<std::size_t>(state.iterations())) {
    state.SkipWithError("frames were lost");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * state.range(0) *
                          static_cast<std::int64_t>(kPayload));
}

void BM_VideoInOrder(benchmark::State& state) { run_video(state, Order::in_order, true); }
void BM_VideoInOrderReusedFrame(benchmark::State& state) {
  run_video(state, Order::in_order, false);
}
void BM_VideoReversed(benchmark::State& state) { run_video(state, Order::reversed, true); }
void BM_VideoRecovered(benchmark::State& state) { run_video(state, Order::recovered, true); }

void BM_Copy(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const Bytes payload = pattern(kPayload);
  for (auto _ : state) {
    Bytes frame;
    frame.reserve(count * kPayload);
    for (std::size_t i = 0; i < count; ++i) {
      frame.insert(frame.end(), payload.begin(), payload.end());
    }
    benchmark::DoNotOptimize(frame.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * state.range(0) *
                          static_cast<std::int64_t>(kPayload));
}

void BM_Audio(benchmark::State& state) {
  const Bytes payload = pattern(120);
  jitter::AudioJitterBuffer buffer;
  jitter::AudioFrame frame;
  TimePoint now{std::chrono::seconds(1)};
  std::uint16_t number = 0;
  std::uint32_t timestamp = 0;
  const auto lost_every = static_cast<std::uint16_t>(state.range(0));
  for (auto _ : state) {
    now += std::chrono::milliseconds(20);
    timestamp += 960;
    if (lost_every == 0 || number % lost_every != 1) {
      buffer.insert({number, RtpTimestamp{timestamp}, payload}, now);
    }
    ++number;
    while (buffer.pop(frame)) benchmark::DoNotOptimize(frame.data.data());
  }
  state.SetItemsProcessed(state.iterations());
}

/// Every second packet is missing, in a span of range(0) packets that waits for its target delay.
void BM_AudioGapsBehindGaps(benchmark::State& state) {
  const Bytes payload = pattern(120);
  jitter::AudioJitterBuffer buffer({.max_packets = static_cast<std::size_t>(state.range(0))});
  jitter::AudioFrame frame;
  TimePoint now{std::chrono::seconds(1)};
  std::uint16_t number = 0;
  for (auto _ : state) {
    now += Duration(10);
    buffer.insert({number, RtpTimestamp{number * 960U}, payload}, now);
    number = static_cast<std::uint16_t>(number + 2);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(BM_VideoInOrder)->Arg(17)->Arg(40)->Arg(170);
BENCHMARK(BM_VideoInOrderReusedFrame)->Arg(17)->Arg(40)->Arg(170);
BENCHMARK(BM_VideoReversed)->Arg(17)->Arg(40)->Arg(170);
BENCHMARK(BM_VideoRecovered)->Arg(40)->Arg(170);
BENCHMARK(BM_Copy)->Arg(17)->Arg(40)->Arg(170);
BENCHMARK(BM_Audio)->Arg(0)->Arg(20)->ArgName("lost_every");
BENCHMARK(BM_AudioGapsBehindGaps)->Arg(256)->Arg(16384)->ArgName("span");

}  // namespace
}  // namespace sealroom::bench
