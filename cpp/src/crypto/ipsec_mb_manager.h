#pragma once

#include <intel-ipsec-mb.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace sealroom::crypto::ipsec_mb {

/// A manager is 200 kB of function table, job queue and lanes, so keys do not own one.

/// For functions that only read the table: GCM and key expansion. Any thread. Null if the CPU lacks
/// AES-NI or the library's self-test failed.
[[nodiscard]] IMB_MGR* shared_manager();

/// For jobs, which write to their manager; made at this thread's first use and freed with the
/// thread. The calls of the job interface that we make are complete when they return, so keys of
/// one thread share it. Null when out of memory.
[[nodiscard]] IMB_MGR* thread_cipher_manager();

/// The same for HMAC of one message at a time: the SHA-NI lanes of the SSE table are 3 to 4 times
/// as fast there as the 16 lanes of AVX-512, which want 16 messages.
[[nodiscard]] IMB_MGR* thread_hmac_manager();

inline constexpr std::size_t kMaxBurst = 64;
/// A job reads one piece of memory. Parts of at most a datagram are copied together; beyond that
/// the copy costs more than the job saves.
inline constexpr std::size_t kMaxGatheredSize = 2048;
inline constexpr std::size_t kMaxLaneDigestSize = 32;

/// Room for the jobs of one batch, 150 kB.
struct BurstSpace {
  std::array<IMB_JOB, kMaxBurst> jobs{};
  alignas(16) std::array<std::array<std::uint8_t, kMaxLaneDigestSize>, kMaxBurst> digests{};
  std::array<std::array<std::uint8_t, kMaxGatheredSize>, kMaxBurst> gathered{};
};

/// This thread's; made and freed as its managers are. Null when out of memory.
[[nodiscard]] BurstSpace* thread_burst_space();

[[nodiscard]] bool has_sha_extensions();

}  // namespace sealroom::crypto::ipsec_mb
