#include <algorithm>
#include <array>

#include "ipsec_mb_backend.h"
#include "ipsec_mb_manager.h"
#include "openssl_backend.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::crypto::ipsec_mb {
namespace {

constexpr std::size_t kBlockSize = 64;  // SHA-1 and SHA-256
/// The lanes count message bytes in 16 bits.
constexpr std::size_t kMaxJobSize = 0xfffe;
/// Messages that the wide lanes take at a time, and how many must be left over to be worth a round
/// of theirs: a round of AVX-512 lanes costs as much as eight messages on the SHA-NI lanes.
constexpr std::size_t kWideLanes = 16;
constexpr std::size_t kMinWideRemainder = 9;

/// HMAC of single messages on the SHA-NI lanes, of batches on the widest ones; OpenSSL takes what
/// they cannot.
class IpsecMbHmac final : public Hmac {
 public:
  IpsecMbHmac(HashAlgorithm algorithm, ByteView short_key, std::unique_ptr<Hmac> general)
      : algorithm_(algorithm), general_(std::move(general)) {
    const IMB_MGR& manager = *shared_manager();
    const auto hash_block =
        algorithm == HashAlgorithm::sha1 ? manager.sha1_one_block : manager.sha256_one_block;
    SecretBytes<kBlockSize> padded;
    const MutableByteView block = padded.mutable_view();
    std::copy(short_key.begin(), short_key.end(), block.begin());
    constexpr std::uint8_t kInnerPad = 0x36;
    constexpr std::uint8_t kOuterPad = 0x5c;
    for (std::uint8_t& byte : block) byte ^= kInnerPad;
    hash_block(block.data(), inner_.data());
    for (std::uint8_t& byte : block) byte ^= kInnerPad ^ kOuterPad;
    hash_block(block.data(), outer_.data());
  }

  ~IpsecMbHmac() override {
    secure_wipe(inner_);
    secure_wipe(outer_);
  }

  Result<void> compute(std::initializer_list<ByteView> parts, MutableByteView out) override {
    if (out.empty() || out.size() > digest_size(algorithm_)) return Error::invalid_argument;
    std::size_t size = 0;
    std::size_t filled_parts = 0;
    ByteView message;
    for (const ByteView part : parts) {
      if (part.empty()) continue;
      size += part.size();
      ++filled_parts;
      message = part;
    }
    IMB_MGR* const manager = thread_hmac_manager();
    if (size == 0 || size > (filled_parts == 1 ? kMaxJobSize : kMaxGatheredSize) ||
        manager == nullptr || !has_sha_extensions()) {
      return general_->compute(parts, out);
    }
    std::array<std::uint8_t, kMaxGatheredSize> gathered;
    if (filled_parts > 1) {
      ByteWriter writer(gathered);
      for (const ByteView part : parts) writer.bytes(part);
      message = writer.written();
    }
    return run(*manager, message, out);
  }

  Result<void> compute_many(std::span<const MacMessage> messages) override {
    BurstSpace* const space = thread_burst_space();
    if (space == nullptr) return Error::crypto_failure;
    for (std::size_t begin = 0; begin < messages.size(); begin += kMaxBurst) {
      auto done = compute_burst(
          *space, messages.subspan(begin, std::min(kMaxBurst, messages.size() - begin)));
      if (!done) return done;
    }
    return {};
  }

 private:
  /// At most kMaxBurst messages.
  Result<void> compute_burst(BurstSpace& space, std::span<const MacMessage> messages) {
    std::array<MutableByteView, kMaxBurst> outputs;
    std::size_t jobs = 0;
    for (const MacMessage& message : messages) {
      if (message.out.empty() || message.out.size() > digest_size(algorithm_)) {
        return Error::invalid_argument;
      }
      const std::size_t size = message.data.size() + message.suffix.size();
      if (size == 0 || size > (message.suffix.empty() ? kMaxJobSize : kMaxGatheredSize)) {
        auto done = general_->compute({message.data, message.suffix}, message.out);
        if (!done) return done;
        continue;
      }
      ByteView data = message.data;
      if (!message.suffix.empty()) {
        ByteWriter writer(space.gathered[jobs]);
        writer.bytes(message.data);
        writer.bytes(message.suffix);
        data = writer.written();
      }
      fill(space.jobs[jobs], data, space.digests[jobs].data());
      outputs[jobs++] = message.out;
    }
    if (!submit(space, jobs)) return Error::crypto_failure;
    for (std::size_t i = 0; i < jobs; ++i) {
      std::copy_n(space.digests[i].begin(), outputs[i].size(), outputs[i].begin());
      secure_wipe(space.digests[i]);
    }
    return {};
  }

  [[nodiscard]] bool submit(BurstSpace& space, std::size_t jobs) const {
    const std::size_t remainder = jobs % kWideLanes;
    const std::size_t narrow =
        has_sha_extensions() && remainder < kMinWideRemainder ? remainder : 0;
    return submit(thread_cipher_manager(), space.jobs.data(), jobs - narrow) &&
           submit(thread_hmac_manager(), space.jobs.data() + (jobs - narrow), narrow);
  }

  [[nodiscard]] bool submit(IMB_MGR* manager, IMB_JOB* jobs, std::size_t count) const {
    if (count == 0) return true;
    const auto size = static_cast<std::uint32_t>(count);
    return manager != nullptr && IMB_SUBMIT_HASH_BURST_NOCHECK(manager, jobs, size, hash()) == size;
  }

  [[nodiscard]] IMB_HASH_ALG hash() const {
    return algorithm_ == HashAlgorithm::sha1 ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256;
  }

  /// Sets every field that a hash job reads: the job may hold an older one.
  void fill(IMB_JOB& job, ByteView message, std::uint8_t* digest) const {
    job.cipher_mode = IMB_CIPHER_NULL;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.chain_order = IMB_ORDER_HASH_CIPHER;
    job.hash_alg = hash();
    job.src = message.data();
    job.dst = nullptr;
    job.hash_start_src_offset_in_bytes = 0;
    job.msg_len_to_hash_in_bytes = message.size();
    job.auth_tag_output = digest;
    job.auth_tag_output_len_in_bytes = digest_size(algorithm_);
    job.u.HMAC._hashed_auth_key_xor_ipad = inner_.data();
    job.u.HMAC._hashed_auth_key_xor_opad = outer_.data();
  }

  Result<void> run(IMB_MGR& manager, ByteView message, MutableByteView out) {
    alignas(16) std::array<std::uint8_t, kMaxLaneDigestSize> digest;
    IMB_JOB* job = IMB_GET_NEXT_JOB(&manager);
    fill(*job, message, digest.data());
    job = IMB_SUBMIT_JOB(&manager);
    if (job == nullptr) job = IMB_FLUSH_JOB(&manager);  // the queue holds this one job
    if (job == nullptr || job->status != IMB_STATUS_COMPLETED) return Error::crypto_failure;
    std::copy_n(digest.begin(), out.size(), out.begin());
    secure_wipe(digest);
    return {};
  }

  alignas(16) std::array<std::uint8_t, kMaxLaneDigestSize> inner_{};
  alignas(16) std::array<std::uint8_t, kMaxLaneDigestSize> outer_{};
  HashAlgorithm algorithm_;
  std::unique_ptr<Hmac> general_;
};

}  // namespace

/// OpenSSL's for SHA-512, where its one message at a time is as fast, and for keys longer than a
/// block, which no protocol of ours has.
Result<std::unique_ptr<Hmac>> create_hmac(HashAlgorithm algorithm, ByteView key) {
  auto general = openssl::create_hmac(algorithm, key);
  const bool use_lanes = (algorithm == HashAlgorithm::sha1 || algorithm == HashAlgorithm::sha256) &&
                         key.size() <= kBlockSize;
  if (!general || !use_lanes) return general;
  return std::unique_ptr<Hmac>(
      std::make_unique<IpsecMbHmac>(algorithm, key, std::move(general).value()));
}

}  // namespace sealroom::crypto::ipsec_mb
