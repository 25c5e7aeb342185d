#include "sealroom/crypto/hkdf.h"

#include <algorithm>

namespace sealroom::crypto {
namespace {

constexpr std::size_t kMaxDigestSize = 64;

}  // namespace

Result<void> hkdf_extract(HashAlgorithm algorithm, ByteView salt, ByteView secret,
                          MutableByteView out) {
  if (out.size() != digest_size(algorithm)) return Error::invalid_argument;
  // An absent salt is digest_size zeros (RFC 5869 section 2.2), the same key as an empty one in
  // HMAC.
  auto hmac = Hmac::create(Backend::openssl, algorithm, salt);
  if (!hmac) return hmac.error();
  return hmac.value()->compute({secret}, out);
}

Result<void> hkdf_expand(HashAlgorithm algorithm, ByteView pseudo_random_key, ByteView info,
                         MutableByteView out) {
  const std::size_t digest = digest_size(algorithm);
  if (out.empty() || out.size() > 255 * digest) return Error::invalid_argument;
  auto hmac = Hmac::create(Backend::openssl, algorithm, pseudo_random_key);
  if (!hmac) return hmac.error();

  SecretBytes<kMaxDigestSize> block(digest);
  ByteView previous;
  std::uint8_t number = 1;
  for (std::size_t done = 0; done < out.size(); ++number) {
    const auto computed =
        hmac.value()->compute({previous, info, {&number, 1}}, block.mutable_view());
    if (!computed) {
      secure_wipe(out);
      return computed.error();
    }
    previous = block.view();
    const std::size_t size = std::min(digest, out.size() - done);
    std::copy_n(previous.begin(), size, out.begin() + static_cast<std::ptrdiff_t>(done));
    done += size;
  }
  return {};
}

}  // namespace sealroom::crypto
