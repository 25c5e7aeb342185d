#include "sealroom/privmx/data_message.h"

#include <limits>

#include "sealroom/base/byte_reader.h"
#include "sealroom/base/byte_writer.h"

namespace sealroom::privmx {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

Result<std::size_t> DataSender::protect(KeyStore& keys, const RoomKeyId& key_id, ByteView iv,
                                        ByteView message, MutableByteView out) {
  if (next_sequence_ > std::numeric_limits<std::uint32_t>::max()) return Error::key_exhausted;
  if (iv.size() != kIvSize) return Error::invalid_argument;
  const std::size_t size = message.size() + kDataOverhead;
  if (out.size() < size) return Error::buffer_too_small;
  ByteWriter header(out);
  header.u8(kVersion);
  header.u32(static_cast<std::uint32_t>(next_sequence_));
  header.bytes(iv);
  header.u8(RoomKeyId::kSize);
  header.bytes(key_id.view());
  const auto sealed = keys.seal(key_id, iv, header.written(), message,
                                out.subspan(kDataHeaderSize, message.size() + kTagSize));
  if (!sealed) return sealed.error();
  ++next_sequence_;
  return size;
}

Result<OpenedData> DataReceiver::unprotect(KeyStore& keys, ByteView protected_message,
                                           MutableByteView out) {
  ByteReader reader(protected_message);
  const std::uint8_t version = reader.u8();
  if (!reader.ok()) return Error::truncated;
  if (version != kVersion) return Error::unsupported;
  const std::uint32_t sequence = reader.u32();
  const ByteView iv = reader.bytes(kIvSize);
  const std::uint8_t key_id_size = reader.u8();
  const ByteView key_id_text = reader.bytes(RoomKeyId::kSize);
  const ByteView ciphertext = reader.rest();
  if (!reader.ok() || ciphertext.size() < kTagSize) return Error::truncated;
  if (key_id_size != RoomKeyId::kSize) return Error::malformed;
  const auto key_id = RoomKeyId::parse(key_id_text);
  if (!key_id) return key_id.error();

  const std::size_t size = ciphertext.size() - kTagSize;
  if (out.size() < size) return Error::buffer_too_small;
  if (!keys.contains(key_id.value())) return Error::unknown_key_id;
  if (last_sequence_ && sequence <= *last_sequence_) return Error::replayed;
  const auto opened = keys.open(key_id.value(), iv, protected_message.first(kDataHeaderSize),
                                ciphertext, out.first(size));
  if (!opened) return opened.error();
  last_sequence_ = sequence;
  return OpenedData{size, key_id.value(), sequence};
}

}  // namespace sealroom::privmx
