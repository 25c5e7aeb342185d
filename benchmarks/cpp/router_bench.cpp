// The SFU in memory: packets of one publisher, 32 arriving together, opened once, sealed for each
// subscriber (items are forwarded packets).

#include "sealroom/rtp/header_extension.h"
#include "sealroom/sfu/router.h"
#include "sealroom/srtp/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

void BM_RouterForward(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto profile =
      state.range(2) == 0 ? srtp::Profile::aead_aes_128_gcm : srtp::Profile::aes128_cm_sha1_80;
  const auto parameters = must(srtp::profile_parameters(profile));
  const Bytes key = pattern(parameters.key_size + parameters.salt_size);
  sfu::Router router(backend);
  const auto publisher = must(router.add_transport());
  must(router.set_keys(publisher, profile, key, key));
  sfu::ProducerConfig producer_config;
  producer_config.codec = rtp::Codec::opus;  // forwarded from the first packet on
  producer_config.payload_type = PayloadType{111};
  producer_config.ssrc = Ssrc{7};
  producer_config.mid = "0";
  const auto producer = must(router.add_producer(publisher, producer_config));
  for (int i = 0; i < state.range(3); ++i) {
    const auto subscriber = must(router.add_transport());
    must(router.set_keys(subscriber, profile, key, key));
    sfu::ConsumerConfig config;
    config.payload_type = PayloadType{111};
    config.ssrc = Ssrc{100};
    config.mid = "0";
    must(router.add_consumer(subscriber, producer, config));
  }

  auto sender = must(srtp::Sender::create(backend, profile, key));
  constexpr std::size_t kBatch = 32;
  const Bytes payload = pattern(static_cast<std::size_t>(state.range(1)) - 28);
  std::vector<Bytes> datagrams(kBatch, Bytes(1500));
  std::vector<MutableByteView> views(kBatch);
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
      views[i] = MutableByteView(datagrams[i])
                     .first(must(sender.protect_rtp(datagrams[i], header_size, payload)));
    }
    now += std::chrono::microseconds(100);
    state.ResumeTiming();
    router.handle_datagrams(publisher, views, now);
    while (router.poll_transmit(transmit)) {
      forwarded += (transmit.data.size() + transmit.segment_size - 1) / transmit.segment_size;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(forwarded));
}

// As an audience (50 subscribers), and as what the way in costs (1).
BENCHMARK(BM_RouterForward)
    ->ArgsProduct({{0, 1}, {160, 1200}, {0, 1}, {1, 50}})
    ->ArgNames({"backend", "bytes", "cm_sha1", "subscribers"});

}  // namespace
}  // namespace sealroom::bench
