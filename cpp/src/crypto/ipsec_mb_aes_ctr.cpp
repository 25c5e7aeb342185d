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
    ByteReader low_word(initial_counter.last(4));
    const std::uint64_t blocks_to_carry = (std::uint64_t{1} << 32) - low_word.u32();
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(in.size(), blocks_to_carry * kAesBlockSize));
    auto done = run(initial_counter, in.first(size), out.first(size));
    if (done && size < in.size()) {
      done = run(carried(initial_counter), in.subspan(size), out.subspan(size));
    }
    return done;
  }

 private:
  using Block = std::array<std::uint8_t, kAesBlockSize>;

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
    job.cipher_mode = IMB_CIPHER_CNTR;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.enc_keys = round_keys_.data();
    job.key_len_in_bytes = static_cast<std::uint64_t>(key_size_);
    job.iv = counter.data();
    job.iv_len_in_bytes = counter.size();
    job.src = in.data();
    job.dst = out.data();
    job.msg_len_to_cipher_in_bytes = in.size();
    const auto completed = IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager, &job, 1, IMB_CIPHER_CNTR,
                                                           IMB_DIR_ENCRYPT, key_size_);
    if (completed == 1) return {};
    secure_wipe(out);
    return Error::crypto_failure;
  }

  alignas(16) std::array<std::uint8_t, kMaxRoundKeys * kAesBlockSize> round_keys_{};
  IMB_KEY_SIZE_BYTES key_size_;
};

}  // namespace

Result<std::unique_ptr<AesCtr>> create_aes_ctr(ByteView key) {
  return std::unique_ptr<AesCtr>(std::make_unique<IpsecMbAesCtr>(key));
}

}  // namespace sealroom::crypto::ipsec_mb
