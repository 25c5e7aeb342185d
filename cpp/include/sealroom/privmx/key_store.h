#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "sealroom/base/bytes.h"
#include "sealroom/base/result.h"
#include "sealroom/crypto/aead.h"
#include "sealroom/crypto/backend.h"

namespace sealroom::privmx {

inline constexpr std::size_t kKeySize = 32;
inline constexpr std::size_t kIvSize = crypto::kAeadNonceSize;
inline constexpr std::size_t kTagSize = crypto::kAeadTagSize;
inline constexpr std::size_t kMaxKeys = 64;

/// Random IVs of 12 bytes may repeat: NIST SP 800-38D section 8.3 allows 2^32 messages under one
/// key. All senders of a room share the key, so one of them takes a sixteenth of that, a month of
/// 100 frames per second.
inline constexpr std::uint64_t kDefaultMessageLimit = std::uint64_t{1} << 28;

/// A key id as it stands in every frame: 32 hexadecimal digits, compared as they are written.
class RoomKeyId {
 public:
  static constexpr std::size_t kSize = 32;

  static Result<RoomKeyId> parse(ByteView text);  ///< malformed
  [[nodiscard]] ByteView view() const { return digits_; }
  friend bool operator==(const RoomKeyId&, const RoomKeyId&) = default;

 private:
  std::array<std::uint8_t, kSize> digits_{};
};

/// The AES-256-GCM keys of a room, for media frames and data messages. Not safe for concurrent use;
/// no allocation per message.
class KeyStore {
 public:
  /// `message_limit`: how many messages are sealed under one key before key_exhausted.
  explicit KeyStore(crypto::Backend backend, std::uint64_t message_limit = kDefaultMessageLimit);
  KeyStore(KeyStore&&) noexcept;
  KeyStore& operator=(KeyStore&&) noexcept;
  ~KeyStore();

  /// 32 bytes; a key id that has a key is refused (both invalid_argument), and more than kMaxKeys
  /// (limit_exceeded).
  Result<void> add(const RoomKeyId& key_id, ByteView key);
  bool remove(const RoomKeyId& key_id);
  [[nodiscard]] bool contains(const RoomKeyId& key_id) const;
  [[nodiscard]] std::size_t size() const;

  /// `iv` must be random and new; the one of the key's last message is refused (invalid_argument).
  /// Further errors: unknown_key_id, key_exhausted. `out` has `plaintext.size() + kTagSize` bytes.
  Result<void> seal(const RoomKeyId& key_id, ByteView iv, ByteView aad, ByteView plaintext,
                    MutableByteView out);
  /// unknown_key_id, authentication_failed. `out` has `ciphertext.size() - kTagSize` bytes.
  Result<void> open(const RoomKeyId& key_id, ByteView iv, ByteView aad, ByteView ciphertext,
                    MutableByteView out);

 private:
  struct Key;
  [[nodiscard]] Key* find(const RoomKeyId& key_id) const;

  crypto::Backend backend_;
  std::uint64_t message_limit_;
  std::vector<std::unique_ptr<Key>> keys_;  ///< few in practice, so a scan beats a map
};

}  // namespace sealroom::privmx
