#pragma once

#include <optional>

#include "sealroom/privmx/key_store.h"

namespace sealroom::privmx {

/// Data-channel messages of PrivMX Streams, version 1 (docs/wire.md):
///   1 | sequence number (4) | IV (12) | 32 | key id (32) | AES-256-GCM ciphertext and tag
/// Everything before the ciphertext is authenticated.

inline constexpr std::size_t kDataHeaderSize = 1 + 4 + kIvSize + 1 + RoomKeyId::kSize;
inline constexpr std::size_t kDataOverhead = kDataHeaderSize + kTagSize;

/// Where PrivMX's native sender starts to count; its JavaScript client starts with 2.
inline constexpr std::uint32_t kFirstSequenceOfNative = 0;

/// Seals the messages of one stream, in order. Not safe for concurrent use.
class DataSender {
 public:
  explicit DataSender(std::uint32_t first_sequence = kFirstSequenceOfNative)
      : next_sequence_(first_sequence) {}

  /// Writes `message.size() + kDataOverhead` bytes and returns that. A number is spent only when a
  /// message is produced; after 2^32 - 1 key_exhausted: the numbers do not wrap. Further errors of
  /// KeyStore::seal. `out` must not overlap `message`.
  Result<std::size_t> protect(KeyStore& keys, const RoomKeyId& key_id, ByteView iv,
                              ByteView message, MutableByteView out);

  /// 2^32 when all are spent.
  [[nodiscard]] std::uint64_t next_sequence() const { return next_sequence_; }

 private:
  std::uint64_t next_sequence_;
};

struct OpenedData {
  std::size_t size = 0;  ///< of the message
  RoomKeyId key_id;
  std::uint32_t sequence = 0;
};

/// Opens the messages of one remote stream: each number must exceed the last authentic one, else
/// replayed. The first may be any, so a sender that starts at 0 and one that starts at 2 are both
/// read. Not safe for concurrent use.
class DataReceiver {
 public:
  /// Into `out`, at least `protected_message.size() - kDataOverhead` bytes without overlap. Errors:
  /// truncated, malformed, unsupported (another version), unknown_key_id, replayed,
  /// authentication_failed; after each of them the state is as before.
  Result<OpenedData> unprotect(KeyStore& keys, ByteView protected_message, MutableByteView out);

  [[nodiscard]] std::optional<std::uint32_t> last_sequence() const { return last_sequence_; }

 private:
  std::optional<std::uint32_t> last_sequence_;
};

}  // namespace sealroom::privmx
