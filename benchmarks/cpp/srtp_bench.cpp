// SRTP protection of one packet, per profile and back end.

#include "sealroom/rtp/header_extension.h"
#include "sealroom/srtp/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

void protect(benchmark::State& state, srtp::Profile profile) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto parameters = must(srtp::profile_parameters(profile));
  auto sender = must(
      srtp::Sender::create(backend, profile, pattern(parameters.key_size + parameters.salt_size)));
  const Bytes payload = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes packet(payload.size() + 64);
  rtp::RtpHeader header;
  header.ssrc = Ssrc{1};
  for (auto _ : state) {
    ++header.sequence_number;
    const std::size_t header_size = must(rtp::write_header(header, {}, {}, packet));
    must(sender.protect_rtp(packet, header_size, payload));
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void BM_SrtpProtectGcm256(benchmark::State& state) {
  protect(state, srtp::Profile::aead_aes_256_gcm);
}
void BM_SrtpProtectGcm128(benchmark::State& state) {
  protect(state, srtp::Profile::aead_aes_128_gcm);
}
void BM_SrtpProtectCmSha1(benchmark::State& state) {
  protect(state, srtp::Profile::aes128_cm_sha1_80);
}

void sizes_and_backends(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {160, 1200}})->ArgNames({"backend", "bytes"});
}

BENCHMARK(BM_SrtpProtectGcm256)->Apply(sizes_and_backends);
BENCHMARK(BM_SrtpProtectGcm128)->Apply(sizes_and_backends);
BENCHMARK(BM_SrtpProtectCmSha1)->Apply(sizes_and_backends);

}  // namespace
}  // namespace sealroom::bench
