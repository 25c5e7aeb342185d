// SFrame beside the bare AEAD call of the same back end: what the layer itself costs. Suites 1 to 3
// have no such call; their limit is AES-CTR and HMAC apart.

#include <array>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aead_nonce.h"
#include "sealroom/crypto/aes_ctr.h"
#include "sealroom/crypto/hmac.h"
#include "sealroom/sframe/receiver.h"
#include "sealroom/sframe/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

using sframe::CipherSuite;

CipherSuite suite_of(const benchmark::State& state) {
  return static_cast<CipherSuite>(state.range(1));
}
std::size_t size_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(2));
}
void finish(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(2));
  state.SetItemsProcessed(state.iterations());
}

/// Suites 4 and 5.
std::unique_ptr<crypto::Aead> make_aead(crypto::Backend backend, CipherSuite suite) {
  const auto algorithm = suite == CipherSuite::aes_128_gcm_sha256_128
                             ? crypto::AeadAlgorithm::aes_128_gcm
                             : crypto::AeadAlgorithm::aes_256_gcm;
  return must(crypto::Aead::create(backend, algorithm, pattern(crypto::key_size(algorithm))));
}

void BM_BareSeal(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const Bytes plaintext = pattern(size_of(state));
  Bytes out(plaintext.size() + crypto::kAeadTagSize);
  const Bytes aad = pattern(3);
  if (state.range(1) >= 4) {
    const auto aead = make_aead(backend, suite_of(state));
    const Bytes salt = pattern(crypto::kAeadNonceSize);
    std::uint64_t counter = 0;
    for (auto _ : state) {
      const crypto::AeadNonce nonce(salt, 0, ++counter);
      must(aead->seal(nonce.view(), aad, plaintext, out));
    }
  } else {
    const auto cipher = must(crypto::AesCtr::create(backend, pattern(16)));
    const auto hmac =
        must(crypto::Hmac::create(backend, crypto::HashAlgorithm::sha256, pattern(32)));
    Bytes counter(16);
    const MutableByteView ciphertext = MutableByteView(out).first(plaintext.size());
    for (auto _ : state) {
      ++counter[0];
      must(cipher->crypt(counter, plaintext, ciphertext));
      must(hmac->compute({counter, aad, ciphertext}, MutableByteView(out).last(10)));
    }
  }
  finish(state);
}

void BM_BareOpen(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto aead = make_aead(backend, suite_of(state));
  const Bytes plaintext = pattern(size_of(state));
  Bytes sealed(plaintext.size() + crypto::kAeadTagSize);
  Bytes opened(plaintext.size());
  const Bytes nonce(crypto::kAeadNonceSize);
  const Bytes aad = pattern(3);
  must(aead->seal(nonce, aad, plaintext, sealed));
  for (auto _ : state) must(aead->open(nonce, aad, sealed, opened));
  finish(state);
}

void BM_SFrameProtect(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(sframe::Sender::create(backend, suite_of(state), KeyId{1}, pattern(16)));
  const Bytes plaintext = pattern(size_of(state));
  Bytes out(plaintext.size() + sframe::kMaxOverhead);
  for (auto _ : state) must(sender.protect({}, plaintext, out));
  finish(state);
}

void BM_SFrameUnprotect(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(sframe::Sender::create(backend, suite_of(state), KeyId{1}, pattern(16)));
  sframe::Receiver receiver(backend, suite_of(state));
  must(receiver.add_key(KeyId{1}, pattern(16)));
  const Bytes plaintext = pattern(size_of(state));
  // Every frame opens once only: sealing the next ones is not timed. Few large ones at a time, so
  // that they are in the cache as in the other benchmarks.
  const std::size_t batch = size_of(state) <= 1200 ? 1024 : size_of(state) <= 50'000 ? 8 : 1;
  std::vector<Bytes> frames(batch, Bytes(plaintext.size() + sframe::kMaxOverhead));
  std::vector<std::size_t> sizes(batch);
  Bytes out(plaintext.size() + sframe::kMaxOverhead);
  std::size_t next = batch;
  for (auto _ : state) {
    if (next == batch) {
      state.PauseTiming();
      for (std::size_t i = 0; i < batch; ++i) {
        sizes[i] = must(sender.protect({}, plaintext, frames[i]));
      }
      next = 0;
      state.ResumeTiming();
    }
    must(receiver.unprotect({}, ByteView(frames[next]).first(sizes[next]), out));
    ++next;
  }
  finish(state);
}

/// A forged frame of a known key: the price of an attack.
void BM_SFrameRefuse(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(sframe::Sender::create(backend, suite_of(state), KeyId{1}, pattern(16)));
  sframe::Receiver receiver(backend, suite_of(state));
  must(receiver.add_key(KeyId{1}, pattern(16)));
  Bytes frame(size_of(state) + sframe::kMaxOverhead);
  frame.resize(must(sender.protect({}, pattern(size_of(state)), frame)));
  frame.back() ^= 1;
  Bytes out(frame.size());
  for (auto _ : state) {
    if (receiver.unprotect({}, frame, out)) std::abort();
  }
  finish(state);
}

constexpr std::array<std::int64_t, 8> kSizes{20, 160, 500, 1200, 5000, 50'000, 200'000, 1'000'000};

void every_suite(benchmark::internal::Benchmark* benchmark) {
  benchmark
      ->ArgsProduct(
          {{0, 1}, {1, 2, 3, 4, 5}, std::vector<std::int64_t>(kSizes.begin(), kSizes.end())})
      ->ArgNames({"backend", "suite", "bytes"});
}
void gcm_suites(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {4, 5}, std::vector<std::int64_t>(kSizes.begin(), kSizes.end())})
      ->ArgNames({"backend", "suite", "bytes"});
}

BENCHMARK(BM_BareSeal)->Apply(every_suite);
BENCHMARK(BM_SFrameProtect)->Apply(every_suite);
BENCHMARK(BM_BareOpen)->Apply(gcm_suites);
BENCHMARK(BM_SFrameUnprotect)->Apply(every_suite);
BENCHMARK(BM_SFrameRefuse)
    ->ArgsProduct({{0, 1}, {4}, {160, 1200}})
    ->ArgNames({"backend", "suite", "bytes"});

}  // namespace
}  // namespace sealroom::bench
