#include "srtp/key_derivation.h"

#include <algorithm>
#include <array>
#include <memory>

#include "sealroom/crypto/aes_ctr.h"

namespace sealroom::srtp {

Result<void> derive(crypto::Backend backend, ByteView master_key, ByteView master_salt,
                    std::uint8_t label, MutableByteView out) {
  if (master_salt.size() > kMaxSaltSize) return Error::invalid_argument;
  auto cipher = crypto::AesCtr::create(backend, master_key);
  if (!cipher) return cipher.error();
  // x = salt XOR (label || 48-bit r), here r = 0; the block is x * 2^16.
  std::array<std::uint8_t, 16> block{};
  std::copy(master_salt.begin(), master_salt.end(), block.begin());
  block[7] ^= label;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  return cipher.value()->crypt(block, out, out);
}

Result<SessionKeys> derive_session_keys(crypto::Backend backend, const ProfileParameters& profile,
                                        ByteView master, Protocol protocol) {
  if (master.size() != profile.key_size + profile.salt_size) return Error::invalid_argument;
  const ByteView key = master.first(profile.key_size);
  const ByteView salt = master.subspan(profile.key_size);
  SessionKeys keys{
      SecretBytes<32>(profile.key_size), {}, SecretBytes<kMaxSaltSize>(profile.salt_size)};
  const std::array<MutableByteView, 3> outputs{
      keys.key.mutable_view(), keys.authentication_key.mutable_view(), keys.salt.mutable_view()};
  for (std::uint8_t i = 0; i < outputs.size(); ++i) {
    const auto label = static_cast<std::uint8_t>(static_cast<std::uint8_t>(protocol) + i);
    if (auto done = derive(backend, key, salt, label, outputs[i]); !done) return done.error();
  }
  return keys;
}

}  // namespace sealroom::srtp
