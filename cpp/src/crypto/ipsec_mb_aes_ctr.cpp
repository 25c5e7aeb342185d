#include <algorithm>
#include <array>

#include "contract.h"
#include "ipsec_mb_backend.h"
#include "ipsec_mb_manager.h"
#include "sealroom/base/byte_reader.h"

namespace sealroom::crypto::ipsec_mb {
namespace {

constexpr std::size_t kMaxRoundKeys = 15;

class IpsecMbAesCtr final : public AesCtr {
 public:
  explicit IpsecMbAesCtr(ByteView key)
      : key_size_(key.size() == 16 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES) {
    alignas(16) std::array<std::uint8_t, kMaxRoundKeys * kAesBlockSize> decrypt_keys;
    const IMB_MGR& manager = *shared_manager();
    const auto expand = key.size() == 16 ? manager.keyexp_128 : manager.keyexp_256;
    expand(key.data(), round_keys_.data(), decrypt_keys.data());
    secure_wipe(decrypt_keys);
  }

  ~IpsecMbAesCtr() override { secure_wipe(round_keys_); }

  Result<void> crypt(ByteView initial_counter, ByteView in, MutableByteView out) override {
    if (!may_crypt(initial_counter, in, out)) return Error::invalid_argument;
    if (in.empty()) return {};
    // The library counts in the last 32 bits without a carry, SP 800-38A in all 128: cut where they
    // differ.
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(in.size(), bytes_to_carry(initial_counter)));
    auto done = run(initial_counter, in.first(size), out.first(size));
    if (done && size < in.size()) {
      done = run(carried(initial_counter), in.subspan(size), out.subspan(size));
    }
    return done;
  }

  Result<void> crypt_many(std::span<const CtrMessage> messages) override {
    IMB_MGR* const manager = thread_cipher_manager();
    BurstSpace* const space = thread_burst_space();
    if (manager == nullptr || space == nullptr) return Error::crypto_failure;
    for (std::size_t begin = 0; begin < messages.size(); begin += kMaxBurst) {
      const std::size_t end = std::min(begin + kMaxBurst, messages.size());
      std::uint32_t jobs = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const CtrMessage& message = messages[i];
        if (!may_crypt(message.initial_counter, message.in, message.out)) {
          return Error::invalid_argument;
        }
        if (message.in.empty()) continue;
        if (message.in.size() > bytes_to_carry(message.initial_counter)) {
          auto done = crypt(message.initial_counter, message.in, message.out);
          if (!done) return done;
          continue;
        }
        fill(space->jobs[jobs++], message.initial_counter, message.in, message.out);
      }
      if (jobs > 0 &&
          IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager, space->jobs.data(), jobs, IMB_CIPHER_CNTR,
                                          IMB_DIR_ENCRYPT, key_size_) != jobs) {
        return Error::crypto_failure;
      }
    }
    return {};
  }

 private:
  using Block = std::array<std::uint8_t, kAesBlockSize>;

  static std::uint64_t bytes_to_carry(ByteView counter) {
    ByteReader low_word(counter.last(4));
    return ((std::uint64_t{1} << 32) - low_word.u32()) * kAesBlockSize;
  }

  /// The counter block after the last 32 bits ran over.
  static Block carried(ByteView counter) {
    Block result{};
    std::copy_n(counter.begin(), 12, result.begin());
    for (std::size_t i = 12; i-- > 0;) {
      if (++result[i] != 0) break;
    }
    return result;
  }

  Result<void> run(ByteView counter, ByteView in, MutableByteView out) {
    IMB_MGR* const manager = thread_cipher_manager();
    if (manager == nullptr) return Error::crypto_failure;
    IMB_JOB job{};
    fill(job, counter, in, out);
    const auto completed = IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager, &job, 1, IMB_CIPHER_CNTR,
                                                           IMB_DIR_ENCRYPT, key_size_);
    if (completed == 1) return {};
    secure_wipe(out);
    return Error::crypto_failure;
  }

  /// Sets every field that a counter-mode job reads: the job may hold an older one.
  void fill(IMB_JOB& job, ByteView counter, ByteView in, MutableByteView out) const {
    job.cipher_mode = IMB_CIPHER_CNTR;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.enc_keys = round_keys_.data();
    job.key_len_in_bytes = static_cast<std::uint64_t>(key_size_);
    job.iv = counter.data();
    job.iv_len_in_bytes = counter.size();
    job.src = in.data();
    job.dst = out.data();
    job.cipher_start_src_offset_in_bytes = 0;
    job.msg_len_to_cipher_in_bytes = in.size();
  }

  alignas(16) std::array<std::uint8_t, kMaxRoundKeys * kAesBlockSize> round_keys_{};
  IMB_KEY_SIZE_BYTES key_size_;
};

}  // namespace

Result<std::unique_ptr<AesCtr>> create_aes_ctr(ByteView key) {
  return std::unique_ptr<AesCtr>(std::make_unique<IpsecMbAesCtr>(key));
}

}  // namespace sealroom::crypto::ipsec_mb
