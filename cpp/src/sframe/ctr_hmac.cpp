#include "ctr_hmac.h"

#include <array>

#include "sealroom/base/byte_writer.h"

namespace sealroom::sframe {
namespace {

constexpr std::size_t kEncryptionKeySize = 16;
constexpr std::size_t kMaxTagSize = 10;

}  // namespace

Result<CtrHmac> CtrHmac::create(crypto::Backend backend, ByteView key, std::size_t tag_size) {
  if (key.size() != kKeySize || tag_size == 0 || tag_size > kMaxTagSize) {
    return Error::invalid_argument;
  }
  auto cipher = crypto::AesCtr::create(backend, key.first(kEncryptionKeySize));
  if (!cipher) return cipher.error();
  auto hmac =
      crypto::Hmac::create(backend, crypto::HashAlgorithm::sha256, key.subspan(kEncryptionKeySize));
  if (!hmac) return hmac.error();
  return CtrHmac(std::move(cipher).value(), std::move(hmac).value(), tag_size);
}

Result<void> CtrHmac::seal(ByteView nonce, ByteView aad, ByteView plaintext, MutableByteView out) {
  if (out.size() != plaintext.size() + tag_size_) return Error::invalid_argument;
  const MutableByteView ciphertext = out.first(plaintext.size());
  const auto encrypted = crypt(nonce, plaintext, ciphertext);
  return encrypted ? compute_tag(nonce, aad, ciphertext, out.last(tag_size_)) : encrypted;
}

Result<void> CtrHmac::open(ByteView nonce, ByteView aad, ByteView ciphertext, MutableByteView out) {
  if (ciphertext.size() < tag_size_ || out.size() != ciphertext.size() - tag_size_) {
    return Error::invalid_argument;
  }
  std::array<std::uint8_t, kMaxTagSize> tag;
  const MutableByteView expected = MutableByteView(tag).first(tag_size_);
  const auto computed = compute_tag(nonce, aad, ciphertext.first(out.size()), expected);
  const bool authentic = computed && equal_constant_time(expected, ciphertext.last(tag_size_));
  secure_wipe(tag);  // of a forged frame it would be the right one
  if (authentic) return crypt(nonce, ciphertext.first(out.size()), out);
  secure_wipe(out);
  return computed ? Error::authentication_failed : computed.error();
}

Result<void> CtrHmac::compute_tag(ByteView nonce, ByteView aad, ByteView ciphertext,
                                  MutableByteView tag) {
  std::array<std::uint8_t, 24> lengths;
  ByteWriter writer(lengths);
  writer.u64(aad.size());
  writer.u64(ciphertext.size());
  writer.u64(tag.size());
  return hmac_->compute({lengths, nonce, aad, ciphertext}, tag);
}

Result<void> CtrHmac::crypt(ByteView nonce, ByteView in, MutableByteView out) {
  std::array<std::uint8_t, 16> counter{};
  ByteWriter writer(counter);
  writer.bytes(nonce);
  return cipher_->crypt(counter, in, out);
}

}  // namespace sealroom::sframe
