// SRTP per packet, one at a time and in batches, per profile and back end, with the bare cipher
// call beside it. items_per_second counts packets.

#include <array>
#include <cstdlib>
#include <vector>

#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/aead_nonce.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"
#include "support.h"

namespace sealroom::bench {
namespace {

constexpr std::size_t kHeaderSize = 12;

/// Packets with ever new sequence numbers, in the same memory each time.
class Packets {
 public:
  Packets(std::size_t count, std::size_t payload_size)
      : plain_(count, pattern(kHeaderSize + payload_size)),
        sealed_(count, Bytes(kHeaderSize + payload_size + srtp::kMaxRtpOverhead)),
        sealing_(count),
        opening_(count) {
    for (Bytes& packet : plain_) {
      packet[0] = 0x80;
      packet[8] = packet[9] = packet[10] = packet[11] = 1;
    }
  }

  std::span<srtp::ProtectTask> number() {
    for (std::size_t i = 0; i < plain_.size(); ++i) {
      ++number_;
      std::copy_n(plain_[i].begin(), kHeaderSize, sealed_[i].begin());
      sealed_[i][2] = static_cast<std::uint8_t>(number_ >> 8);
      sealed_[i][3] = static_cast<std::uint8_t>(number_);
      sealing_[i] = {sealed_[i], kHeaderSize, ByteView(plain_[i]).subspan(kHeaderSize)};
    }
    return sealing_;
  }
  std::span<srtp::UnprotectTask> sealed() {
    for (std::size_t i = 0; i < plain_.size(); ++i) {
      opening_[i] = {ByteView(sealed_[i]).first(sealing_[i].size.value()), plain_[i]};
    }
    return opening_;
  }

 private:
  std::vector<Bytes> plain_;
  std::vector<Bytes> sealed_;
  std::vector<srtp::ProtectTask> sealing_;
  std::vector<srtp::UnprotectTask> opening_;
  std::uint16_t number_ = 0;
};

void count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(2));
  state.SetBytesProcessed(state.iterations() * state.range(2) * state.range(1));
}

Bytes master(srtp::Profile profile) {
  const auto parameters = must(srtp::profile_parameters(profile));
  return pattern(parameters.key_size + parameters.salt_size);
}

void protect(benchmark::State& state, srtp::Profile profile) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(srtp::Sender::create(backend, profile, master(profile)));
  Packets packets(static_cast<std::size_t>(state.range(2)),
                  static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    const auto tasks = packets.number();
    if (tasks.size() == 1) {
      must(sender.protect_rtp(tasks[0].buffer, tasks[0].header_size, tasks[0].payload));
    } else if (sender.protect_rtp_batch(tasks) != tasks.size()) {
      std::abort();
    }
  }
  count(state);
}

/// Of sealing and opening: subtract what protect takes.
void protect_and_unprotect(benchmark::State& state, srtp::Profile profile) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(srtp::Sender::create(backend, profile, master(profile)));
  auto receiver = must(srtp::Receiver::create(backend, profile, master(profile)));
  Packets packets(static_cast<std::size_t>(state.range(2)),
                  static_cast<std::size_t>(state.range(1)));
  for (auto _ : state) {
    auto sealing = packets.number();
    if (sender.protect_rtp_batch(sealing) != sealing.size()) std::abort();
    const auto opening = packets.sealed();
    if (opening.size() == 1) {
      must(receiver.unprotect_rtp(opening[0].packet, opening[0].out));
    } else if (receiver.unprotect_rtp_batch(opening) != opening.size()) {
      std::abort();
    }
  }
  count(state);
}

void rtcp(benchmark::State& state, srtp::Profile profile) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto sender = must(srtp::Sender::create(backend, profile, master(profile)));
  auto receiver = must(srtp::Receiver::create(backend, profile, master(profile)));
  constexpr std::size_t kSize = 80;
  Bytes packet = pattern(kSize + srtp::kMaxRtcpOverhead);
  packet[0] = 0x81;
  for (auto _ : state) {
    const std::size_t size = must(sender.protect_rtcp(packet, kSize));
    must(receiver.unprotect_rtcp(ByteView(packet).first(size), packet));
  }
}

void bare_aead(benchmark::State& state) {
  crypto::Backend backend;
  if (!choose_backend(state, backend)) return;
  auto aead = must(crypto::Aead::create(backend, crypto::AeadAlgorithm::aes_256_gcm, pattern(32)));
  const Bytes payload = pattern(static_cast<std::size_t>(state.range(1)));
  Bytes out(payload.size() + crypto::kAeadTagSize);
  const Bytes salt = pattern(crypto::kAeadNonceSize);
  std::uint64_t counter = 0;
  const Bytes aad = pattern(kHeaderSize);
  for (auto _ : state) {
    const crypto::AeadNonce nonce(salt, 0, ++counter);
    must(aead->seal(nonce.view(), aad, payload, out));
  }
  count(state);
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgsProduct({{0, 1}, {160, 1200}, {1, 16, 64}})
      ->ArgNames({"backend", "bytes", "batch"});
}
void backends(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(0)->Arg(1)->ArgName("backend");
}

using srtp::Profile;
BENCHMARK_CAPTURE(protect, gcm_256, Profile::aead_aes_256_gcm)->Apply(sizes);
BENCHMARK_CAPTURE(protect, gcm_128, Profile::aead_aes_128_gcm)->Apply(sizes);
BENCHMARK_CAPTURE(protect, cm_128_sha1_80, Profile::aes128_cm_sha1_80)->Apply(sizes);
BENCHMARK_CAPTURE(protect_and_unprotect, gcm_256, Profile::aead_aes_256_gcm)->Apply(sizes);
BENCHMARK_CAPTURE(protect_and_unprotect, cm_128_sha1_80, Profile::aes128_cm_sha1_80)->Apply(sizes);
BENCHMARK_CAPTURE(rtcp, gcm_256, Profile::aead_aes_256_gcm)->Apply(backends);
BENCHMARK_CAPTURE(rtcp, cm_128_sha1_80, Profile::aes128_cm_sha1_80)->Apply(backends);
BENCHMARK(bare_aead)
    ->ArgsProduct({{0, 1}, {160, 1200}, {1}})
    ->ArgNames({"backend", "bytes", "batch"});

}  // namespace
}  // namespace sealroom::bench
