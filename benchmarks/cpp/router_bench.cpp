// The SFU in memory: 1200-byte packets of one publisher to 50 subscribers, opened once, sealed 50
// times (items are forwarded packets).

#include "sealroom/rtp/header_extension.h"
#include "sealroom/sfu/router.h"
#include "sealroom/srtp/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr auto kProfile = srtp::Profile::aead_aes_128_gcm;
constexpr int kSubscribers = 50;

void BM_RouterForward(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const Bytes key = pattern(28);
  sfu::Router router(backend);
  const auto publisher = must(router.add_transport());
  must(router.set_keys(publisher, kProfile, key, key));
  sfu::ProducerConfig producer_config;
  producer_config.codec = rtp::Codec::opus;  // forwarded from the first packet on
  producer_config.payload_type = PayloadType{111};
  producer_config.ssrc = Ssrc{7};
  producer_config.mid = "0";
  const auto producer = must(router.add_producer(publisher, producer_config));
  for (int i = 0; i < kSubscribers; ++i) {
    const auto subscriber = must(router.add_transport());
    must(router.set_keys(subscriber, kProfile, key, key));
    sfu::ConsumerConfig config;
    config.payload_type = PayloadType{111};
    config.ssrc = Ssrc{100};
    config.mid = "0";
    must(router.add_consumer(subscriber, producer, config));
  }

  auto sender = must(srtp::Sender::create(backend, kProfile, key));
  constexpr std::size_t kBatch = 32;
  const Bytes payload = pattern(static_cast<std::size_t>(state.range(1)) - 28);
  std::vector<Bytes> datagrams(kBatch, Bytes(1500));
  std::vector<std::size_t> sizes(kBatch);
  rtp::RtpHeader header;
  header.payload_type = PayloadType{111};
  header.ssrc = Ssrc{7};
  TimePoint now{std::chrono::seconds(1)};
  std::size_t forwarded = 0;
  sfu::Transmit transmit;
  for (auto _ : state) {
    state.PauseTiming();
    for (std::size_t i = 0; i < kBatch; ++i) {
      ++header.sequence_number;
      header.timestamp.value += 960;
      const std::size_t header_size = must(rtp::write_header(header, {}, {}, datagrams[i]));
      sizes[i] = must(sender.protect_rtp(datagrams[i], header_size, payload));
    }
    now += std::chrono::microseconds(100);
    state.ResumeTiming();
    for (std::size_t i = 0; i < kBatch; ++i) {
      router.handle_datagram(publisher, MutableByteView(datagrams[i]).first(sizes[i]), now);
    }
    while (router.poll_transmit(transmit)) {
      forwarded += (transmit.data.size() + transmit.segment_size - 1) / transmit.segment_size;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(forwarded));
}

BENCHMARK(BM_RouterForward)->ArgsProduct({{0, 1}, {160, 1200}})->ArgNames({"backend", "bytes"});

}  // namespace
}  // namespace sealroom::bench
