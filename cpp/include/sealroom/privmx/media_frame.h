#pragma once

#include "sealroom/privmx/key_store.h"

namespace sealroom::privmx {

/// Media frames of PrivMX Streams, version 1 (docs/wire.md):
///   clear header | AES-256-GCM ciphertext and tag | IV (12) | 12 | key id (32) | 32 | RMS
/// The clear header is authenticated, IV and key id are by opening, the RMS byte is not. The format
/// has no counter: a frame that is replayed opens again.

inline constexpr std::size_t kMediaTrailerSize = kIvSize + 1 + RoomKeyId::kSize + 1 + 1;
inline constexpr std::size_t kMediaOverhead = kTagSize + kMediaTrailerSize;

enum class FrameKind : std::uint8_t { audio, video_key, video_delta, video_empty, video_other };

/// How many bytes stay clear. Sender and receiver must agree; the frame does not say.
enum class ClearHeader : std::uint8_t {
  by_kind,   ///< audio 1; video: key frame 10, delta 3, empty 1, other 0
  one_byte,  ///< 1 of every frame, as PrivMX's JavaScript client does
};

[[nodiscard]] std::size_t clear_header_size(ClearHeader clear_header, FrameKind kind);

/// Writes `frame.size() + kMediaOverhead` bytes and returns that. A frame shorter than its clear
/// header is invalid_argument: its receiver could not tell. `rms` travels as it is. Errors of
/// KeyStore::seal. `out` must not overlap `frame`.
Result<std::size_t> protect_media(KeyStore& keys, const RoomKeyId& key_id, ByteView iv,
                                  ClearHeader clear_header, FrameKind kind, std::uint8_t rms,
                                  ByteView frame, MutableByteView out);

struct OpenedMedia {
  std::size_t size = 0;  ///< of the frame
  RoomKeyId key_id;
  /// Loudness in dBFS plus 100, 0..100, as the wire says it: not authenticated, so whoever carries
  /// the frame can write anything here.
  std::uint8_t unauthenticated_rms = 0;
};

/// Into `out`, at least `protected_frame.size() - kMediaOverhead` bytes without overlap. Errors:
/// truncated, malformed, unknown_key_id, authentication_failed; none of them yields a frame.
Result<OpenedMedia> unprotect_media(KeyStore& keys, ClearHeader clear_header, FrameKind kind,
                                    ByteView protected_frame, MutableByteView out);

}  // namespace sealroom::privmx
