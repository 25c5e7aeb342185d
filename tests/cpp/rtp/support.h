#pragma once

#include <cstring>
#include <memory>

#include "sealroom/base/bytes.h"
#include "support/hex.h"

namespace sealroom::rtp::test {

using sealroom::test::from_hex;

inline Bytes to_bytes(ByteView view) { return Bytes(view.begin(), view.end()); }

/// Bytes in a heap block of exactly their size, so that the address sanitizer sees a read past the
/// end.
class ExactCopy {
 public:
  explicit ExactCopy(ByteView source)
      : data_(new std::uint8_t[source.size()]), size_(source.size()) {
    if (!source.empty()) std::memcpy(data_.get(), source.data(), source.size());
  }
  [[nodiscard]] ByteView view() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_;
};

/// Calls `parse(view, size)` for every prefix of `whole`, the whole included.
template <class Parse>
void for_each_truncation(ByteView whole, Parse parse) {
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const ExactCopy copy(whole.first(size));
    parse(copy.view(), size);
  }
}

}  // namespace sealroom::rtp::test
