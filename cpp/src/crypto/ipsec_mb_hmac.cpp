#include <algorithm>
#include <array>

#include "ipsec_mb_backend.h"
#include "ipsec_mb_manager.h"
#include "openssl_backend.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::crypto::ipsec_mb {
namespace {

constexpr std::size_t kBlockSize = 64;  // SHA-1 and SHA-256
constexpr std::size_t kMaxDigestSize = 32;
/// The lanes count message bytes in 16 bits.
constexpr std::size_t kMaxJobSize = 0xfffe;
/// A job reads one piece of memory. Parts of at most a datagram are copied together; beyond that
/// the copy costs more than the job saves.
constexpr std::size_t kMaxGatheredSize = 2048;

/// HMAC of single messages on the SHA-NI lanes; OpenSSL takes what they cannot.
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
        manager == nullptr) {
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

 private:
  Result<void> run(IMB_MGR& manager, ByteView message, MutableByteView out) {
    alignas(16) std::array<std::uint8_t, kMaxDigestSize> digest;
    IMB_JOB* job = IMB_GET_NEXT_JOB(&manager);
    job->cipher_mode = IMB_CIPHER_NULL;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_HASH_CIPHER;
    job->hash_alg = algorithm_ == HashAlgorithm::sha1 ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256;
    job->src = message.data();
    job->dst = nullptr;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = message.size();
    job->auth_tag_output = digest.data();
    job->auth_tag_output_len_in_bytes = digest_size(algorithm_);
    job->u.HMAC._hashed_auth_key_xor_ipad = inner_.data();
    job->u.HMAC._hashed_auth_key_xor_opad = outer_.data();
    job = IMB_SUBMIT_JOB(&manager);
    if (job == nullptr) job = IMB_FLUSH_JOB(&manager);  // the queue holds this one job
    if (job == nullptr || job->status != IMB_STATUS_COMPLETED) return Error::crypto_failure;
    std::copy_n(digest.begin(), out.size(), out.begin());
    secure_wipe(digest);
    return {};
  }

  alignas(16) std::array<std::uint8_t, kMaxDigestSize> inner_{};
  alignas(16) std::array<std::uint8_t, kMaxDigestSize> outer_{};
  HashAlgorithm algorithm_;
  std::unique_ptr<Hmac> general_;
};

}  // namespace

/// OpenSSL's where one message at a time is faster there: SHA-512, and CPUs without SHA-NI; also
/// for keys longer than a block, which no protocol of ours has.
Result<std::unique_ptr<Hmac>> create_hmac(HashAlgorithm algorithm, ByteView key) {
  auto general = openssl::create_hmac(algorithm, key);
  const bool use_lanes = (algorithm == HashAlgorithm::sha1 || algorithm == HashAlgorithm::sha256) &&
                         key.size() <= kBlockSize && has_sha_extensions();
  if (!general || !use_lanes) return general;
  return std::unique_ptr<Hmac>(
      std::make_unique<IpsecMbHmac>(algorithm, key, std::move(general).value()));
}

}  // namespace sealroom::crypto::ipsec_mb
