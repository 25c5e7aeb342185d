// SFrame beside the bare AEAD call of the same back end: what the layer itself costs.

#include "sealroom/crypto/aead.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr auto kSuite = sframe::CipherSuite::aes_128_gcm_sha256_128;

void BM_AeadSeal(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto aead =
      must(crypto::Aead::create(backend, crypto::AeadAlgorithm::aes_128_gcm, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes out(plaintext.size() + crypto::kAeadTagSize);
  Bytes nonce(crypto::kAeadNonceSize);
  const Bytes aad = pattern(3);
  for (auto _ : state) {
    ++nonce[0];
    must(aead->seal(nonce, aad, plaintext, out));
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void BM_SFrameProtect(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(sframe::Sender::create(backend, kSuite, KeyId{1}, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes out(plaintext.size() + sframe::kMaxOverhead);
  for (auto _ : state) must(sender.protect({}, plaintext, out));
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void BM_SFrameUnprotect(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(sframe::Sender::create(backend, kSuite, KeyId{1}, pattern(16)));
  sframe::Receiver receiver(backend, kSuite);
  must(receiver.add_key(KeyId{1}, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  constexpr std::size_t kBatch = 64;
  std::vector<Bytes> frames(kBatch, Bytes(plaintext.size() + sframe::kMaxOverhead));
  std::vector<std::size_t> sizes(kBatch);
  Bytes out(plaintext.size() + sframe::kMaxOverhead);
  std::size_t next = kBatch;
  for (auto _ : state) {
    if (next == kBatch) {  // every frame opens once only: sealing the next ones is not timed
      state.PauseTiming();
      for (std::size_t i = 0; i < kBatch; ++i)
        sizes[i] = must(sender.protect({}, plaintext, frames[i]));
      next = 0;
      state.ResumeTiming();
    }
    must(receiver.unprotect({}, ByteView(frames[next]).first(sizes[next]), out));
    ++next;
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void sizes_and_backends(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {160, 1200, 50'000}})->ArgNames({"backend", "bytes"});
}

BENCHMARK(BM_AeadSeal)->Apply(sizes_and_backends);
BENCHMARK(BM_SFrameProtect)->Apply(sizes_and_backends);
BENCHMARK(BM_SFrameUnprotect)->Apply(sizes_and_backends);

}  // namespace
}  // namespace sealroom::bench
