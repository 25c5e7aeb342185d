#pragma once

#include <memory>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/backend.h"

namespace sealroom::crypto {

/// AES in counter mode (NIST SP 800-38A) with a 16-byte initial counter block; the key length, 16
/// or 32 bytes, chooses the variant. Key schedule once, no allocation per message. Not safe for
/// concurrent use.
class AesCtr {
 public:
  static Result<std::unique_ptr<AesCtr>> create(Backend backend, ByteView key);
  virtual ~AesCtr() = default;
  AesCtr(const AesCtr&) = delete;
  AesCtr& operator=(const AesCtr&) = delete;

  /// `out.size() == in.size()`; `out` may begin where `in` begins.
  virtual Result<void> crypt(ByteView initial_counter, ByteView in, MutableByteView out) = 0;

 protected:
  AesCtr() = default;
};

}  // namespace sealroom::crypto
