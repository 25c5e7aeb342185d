#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace sealroom {

using ByteView = std::span<const std::uint8_t>;
using MutableByteView = std::span<std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Whether a buffer keeps more memory than a queue that counts bytes may let it.
[[nodiscard]] inline bool is_oversized(const Bytes& bytes) {
  constexpr std::size_t kSpareBytes = 4096;
  return bytes.capacity() > 2 * bytes.size() + kSpareBytes;
}
/// Moves the bytes into memory of their size if they lie in far more.
inline void trim(Bytes& bytes) {
  if (is_oversized(bytes)) bytes = Bytes(bytes.begin(), bytes.end());
}

/// Overwrites secret bytes in a way the compiler must keep.
void secure_wipe(MutableByteView secret);

/// Compares secrets without a data-dependent branch; only the sizes may leak.
[[nodiscard]] bool equal_constant_time(ByteView a, ByteView b);

/// Key material of a fixed capacity: wiped when it dies, never copied, never printed.
template <std::size_t Capacity>
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) : size_(size <= Capacity ? size : Capacity) {}
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  SecretBytes(SecretBytes&& other) noexcept : bytes_(other.bytes_), size_(other.size_) {
    other.wipe();
  }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      size_ = other.size_;
      other.wipe();
    }
    return *this;
  }
  ~SecretBytes() { wipe(); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] ByteView view() const { return {bytes_.data(), size_}; }
  [[nodiscard]] MutableByteView mutable_view() { return {bytes_.data(), size_}; }
  void wipe() { secure_wipe(bytes_); }

 private:
  std::array<std::uint8_t, Capacity> bytes_{};
  std::size_t size_ = Capacity;
};

}  // namespace sealroom
