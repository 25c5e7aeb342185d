// Whole frames through their codec's clear-byte rule, beside the bare AEAD call of the same back
// end on as many bytes: what rule, header and emulation prevention cost.

#include <string>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aead_nonce.h"
#include "sealroom/sframe/media_frame.h"
#include "support.h"

namespace sealroom::bench {
namespace {

using sframe::FrameFormat;

constexpr auto kSuite = sframe::CipherSuite::aes_128_gcm_sha256_128;

/// A key frame of the codec as far as the rule reads it, then a pattern.
Bytes make_frame(FrameFormat format, std::size_t size) {
  Bytes head;
  if (format == FrameFormat::vp8) {
    head = {0xd0, 0xa1, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01};
  } else if (format == FrameFormat::h264) {
    head = {0, 0, 0, 1,    0x67, 0x42, 0xc0, 0x0a, 0xd9, 0x10, 0x7e, 0x27, 0xc0, 0x44, 0x99, 0,
            0, 0, 1, 0x68, 0xcb, 0x83, 0xcb, 0x20, 0,    0,    0,    1,    0x65, 0x88, 0x84};
  } else if (format == FrameFormat::av1) {
    head = {0x12, 0x00, 0x0a, 0x0b, 0x01, 0x01, 0x01, 0x02,
            0xaa, 0xff, 0xbf, 0xf8, 0x03, 0x20, 0x08, 0x30};
  }
  Bytes frame = pattern(size);
  std::copy(head.begin(), head.end(), frame.begin());
  return frame;
}

std::string format_name(FrameFormat format) {
  constexpr const char* kNames[] = {"opaque", "vp8", "h264", "av1"};
  return kNames[static_cast<std::size_t>(format)];
}

void finish(benchmark::State& state, FrameFormat format) {
  state.SetBytesProcessed(state.iterations() * state.range(1));
  state.SetLabel(std::string(crypto::backend_name(static_cast<crypto::Backend>(state.range(0)))) +
                 " " + format_name(format));
}

void BM_AeadSeal(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto aead =
      must(crypto::Aead::create(backend, crypto::AeadAlgorithm::aes_128_gcm, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes out(plaintext.size() + crypto::kAeadTagSize);
  const Bytes salt = pattern(crypto::kAeadNonceSize);
  std::uint64_t counter = 0;
  const Bytes aad = pattern(40);
  for (auto _ : state) {
    const crypto::AeadNonce nonce(salt, 0, ++counter);
    must(aead->seal(nonce.view(), aad, plaintext, out));
  }
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void BM_AeadOpen(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto aead =
      must(crypto::Aead::create(backend, crypto::AeadAlgorithm::aes_128_gcm, pattern(16)));
  const Bytes plaintext = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes sealed(plaintext.size() + crypto::kAeadTagSize);
  Bytes out(plaintext.size());
  const Bytes nonce(crypto::kAeadNonceSize);
  const Bytes aad = pattern(40);
  must(aead->seal(nonce, aad, plaintext, sealed));
  for (auto _ : state) must(aead->open(nonce, aad, sealed, out));
  state.SetBytesProcessed(state.iterations() * state.range(1));
}

void BM_ProtectFrame(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto format = static_cast<FrameFormat>(state.range(2));
  auto sender = must(sframe::Sender::create(backend, kSuite, KeyId{1}, pattern(16)));
  const Bytes frame = make_frame(format, static_cast<std::size_t>(state.range(1)));
  Bytes out(sframe::max_protected_size(format, frame.size()));
  for (auto _ : state) must(sframe::protect_frame(sender, format, frame, out));
  finish(state, format);
}

void BM_UnprotectFrame(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  const auto format = static_cast<FrameFormat>(state.range(2));
  auto sender = must(sframe::Sender::create(backend, kSuite, KeyId{1}, pattern(16)));
  sframe::Receiver receiver(backend, kSuite);
  must(receiver.add_key(KeyId{1}, pattern(16)));
  const Bytes frame = make_frame(format, static_cast<std::size_t>(state.range(1)));
  constexpr std::size_t kBatch = 64;
  std::vector<Bytes> sealed(kBatch, Bytes(sframe::max_protected_size(format, frame.size())));
  std::vector<std::size_t> sizes(kBatch);
  Bytes out(sealed[0].size());
  std::size_t next = kBatch;
  for (auto _ : state) {
    if (next == kBatch) {  // every frame opens once only: sealing the next ones is not timed
      state.PauseTiming();
      for (std::size_t i = 0; i < kBatch; ++i)
        sizes[i] = must(sframe::protect_frame(sender, format, frame, sealed[i]));
      next = 0;
      state.ResumeTiming();
    }
    must(sframe::unprotect_frame(receiver, format, ByteView(sealed[next]).first(sizes[next]), out));
    ++next;
  }
  finish(state, format);
}

void sizes_and_backends(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {1200, 50'000}})->ArgNames({"backend", "bytes"});
}

void formats(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {1200, 50'000}, {0, 1, 2, 3}})
      ->ArgNames({"backend", "bytes", "format"});
}

BENCHMARK(BM_AeadSeal)->Apply(sizes_and_backends);
BENCHMARK(BM_ProtectFrame)->Apply(formats);
BENCHMARK(BM_AeadOpen)->Apply(sizes_and_backends);
BENCHMARK(BM_UnprotectFrame)->Apply(formats);

}  // namespace
}  // namespace sealroom::bench
