#pragma once

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/base/types.h"

namespace sealroom::sframe {

inline constexpr std::size_t kMaxHeaderSize = 17;

/// SFrame header (RFC 9605 section 4.3): config byte X|KKK|Y|CCC, then KID and CTR, minimal
/// big-endian.
struct Header {
  KeyId key_id;
  std::uint64_t counter = 0;

  friend bool operator==(const Header&, const Header&) = default;

  [[nodiscard]] std::size_t encoded_size() const;
  /// Returns the header's size. The first kMaxHeaderSize bytes of `out` may be written.
  Result<std::size_t> encode(MutableByteView out) const;

  struct Parsed;
  /// Reads the header at the front of `data`; a non-minimal encoding is `malformed`.
  static Result<Parsed> parse(ByteView data);
};

struct Header::Parsed {
  Header header;
  std::size_t size = 0;
};

}  // namespace sealroom::sframe
