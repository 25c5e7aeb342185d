#include "sealroom/privmx/media_frame.h"

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::privmx {

std::size_t clear_header_size(ClearHeader clear_header, FrameKind kind) {
  if (clear_header == ClearHeader::one_byte) return 1;
  switch (kind) {
    case FrameKind::video_key:
      return 10;
    case FrameKind::video_delta:
      return 3;
    case FrameKind::audio:
    case FrameKind::video_empty:
      return 1;
    case FrameKind::video_other:
      break;
  }
  return 0;
}

Result<std::size_t> protect_media(KeyStore& keys, const RoomKeyId& key_id, ByteView iv,
                                  ClearHeader clear_header, FrameKind kind, std::uint8_t rms,
                                  ByteView frame, MutableByteView out) {
  const std::size_t clear_size = clear_header_size(clear_header, kind);
  if (frame.size() < clear_size) return Error::invalid_argument;
  const std::size_t size = frame.size() + kMediaOverhead;
  if (out.size() < size) return Error::buffer_too_small;
  const ByteView clear = frame.first(clear_size);
  const ByteView plaintext = frame.subspan(clear_size);
  const auto sealed =
      keys.seal(key_id, iv, clear, plaintext, out.subspan(clear_size, plaintext.size() + kTagSize));
  if (!sealed) return sealed.error();
  ByteWriter(out).bytes(clear);
  ByteWriter trailer(out.subspan(frame.size() + kTagSize));
  trailer.bytes(iv);
  trailer.u8(kIvSize);
  trailer.bytes(key_id.view());
  trailer.u8(RoomKeyId::kSize);
  trailer.u8(rms);
  return size;
}

Result<OpenedMedia> unprotect_media(KeyStore& keys, ClearHeader clear_header, FrameKind kind,
                                    ByteView protected_frame, MutableByteView out) {
  const std::size_t clear_size = clear_header_size(clear_header, kind);
  if (protected_frame.size() < clear_size + kMediaOverhead) return Error::truncated;
  ByteReader reader(protected_frame);
  const ByteView clear = reader.bytes(clear_size);
  const ByteView ciphertext = reader.bytes(reader.remaining() - kMediaTrailerSize);
  const ByteView iv = reader.bytes(kIvSize);
  const std::uint8_t iv_size = reader.u8();
  const ByteView key_id_text = reader.bytes(RoomKeyId::kSize);
  const std::uint8_t key_id_size = reader.u8();
  const std::uint8_t rms = reader.u8();
  if (iv_size != kIvSize || key_id_size != RoomKeyId::kSize) return Error::malformed;
  const auto key_id = RoomKeyId::parse(key_id_text);
  if (!key_id) return key_id.error();

  const std::size_t size = protected_frame.size() - kMediaOverhead;
  if (out.size() < size) return Error::buffer_too_small;
  const auto opened =
      keys.open(key_id.value(), iv, clear, ciphertext, out.subspan(clear_size, size - clear_size));
  if (!opened) return opened.error();
  ByteWriter(out).bytes(clear);
  return OpenedMedia{size, key_id.value(), rms};
}

}  // namespace sealroom::privmx
