#pragma once

#include <array>

#include "sealroom/base/byte_writer.h"
#include "sealroom/sframe/sender.h"

namespace sealroom::sframe {

/// Header and metadata in one piece (RFC 9605 section 4.4.3), on the stack. The caller has checked
/// kMaxMetadataSize.
class Aad {
 public:
  Aad(ByteView header, ByteView metadata) {
    ByteWriter writer(bytes_);
    writer.bytes(header);
    writer.bytes(metadata);
    size_ = writer.position();
  }

  [[nodiscard]] ByteView view() const { return ByteView(bytes_).first(size_); }

 private:
  std::array<std::uint8_t, kMaxHeaderSize + kMaxMetadataSize> bytes_;
  std::size_t size_;
};

}  // namespace sealroom::sframe
