#include "srtp/packet_cipher.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "sealroom/srtp/packet_header.h"

namespace sealroom::srtp {

namespace {

// XORs the big-endian form of `number` into the eight bytes at `at`: this runs per packet, and a
// byte loop shows.
void xor_number(std::uint8_t* at, std::uint64_t number) {
  if constexpr (std::endian::native == std::endian::little) number = __builtin_bswap64(number);
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  word ^= number;
  std::memcpy(at, &word, sizeof(word));
}

std::array<std::uint8_t, 4> big_endian(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

// What RFC 7714 section 9.3 authenticates but does not encrypt: header, SSRC and the word with E
// flag and index.
std::array<std::uint8_t, kRtcpHeaderSize + kRtcpIndexSize> rtcp_associated_data(
    ByteView packet, ByteView index_word) {
  std::array<std::uint8_t, kRtcpHeaderSize + kRtcpIndexSize> data{};
  std::copy_n(packet.begin(), kRtcpHeaderSize, data.begin());
  std::copy_n(index_word.begin(), kRtcpIndexSize, data.begin() + kRtcpHeaderSize);
  return data;
}

}  // namespace

std::array<std::uint8_t, 16> counter_block(ByteView salt, Ssrc ssrc, std::uint64_t index) {
  std::array<std::uint8_t, 16> block{};
  std::copy_n(salt.begin(), kCounterModeSaltSize, block.begin());
  xor_number(block.data(), ssrc.value);
  xor_number(block.data() + 8, index << 16);
  return block;
}

std::array<std::uint8_t, crypto::kAeadNonceSize> aead_nonce(ByteView salt, Ssrc ssrc,
                                                            std::uint64_t index) {
  std::array<std::uint8_t, crypto::kAeadNonceSize> nonce{};
  std::copy_n(salt.begin(), crypto::kAeadNonceSize, nonce.begin());
  nonce[2] ^= static_cast<std::uint8_t>(ssrc.value >> 24);
  nonce[3] ^= static_cast<std::uint8_t>(ssrc.value >> 16);
  xor_number(nonce.data() + 4, static_cast<std::uint64_t>(ssrc.value) << 48 | index);
  return nonce;
}

Result<PacketCipher> PacketCipher::create(crypto::Backend backend, const ProfileParameters& profile,
                                          const SessionKeys& keys) {
  PacketCipher cipher;
  cipher.rtp_tag_size_ = profile.rtp_tag_size;
  cipher.rtcp_tag_size_ = profile.rtcp_tag_size;
  cipher.salt_ = SecretBytes<kMaxSaltSize>(keys.salt.size());
  std::ranges::copy(keys.salt.view(), cipher.salt_.mutable_view().begin());
  if (profile.is_aead) {
    const auto algorithm = profile.key_size == 16 ? crypto::AeadAlgorithm::aes_128_gcm
                                                  : crypto::AeadAlgorithm::aes_256_gcm;
    auto aead = crypto::Aead::create(backend, algorithm, keys.key.view());
    if (!aead) return aead.error();
    cipher.aead_ = std::move(aead).value();
    return cipher;
  }
  auto counter_mode = crypto::AesCtr::create(backend, keys.key.view());
  if (!counter_mode) return counter_mode.error();
  auto hmac =
      crypto::Hmac::create(backend, crypto::HashAlgorithm::sha1, keys.authentication_key.view());
  if (!hmac) return hmac.error();
  cipher.counter_mode_ = std::move(counter_mode).value();
  cipher.hmac_ = std::move(hmac).value();
  return cipher;
}

Result<PacketCipher> PacketCipher::create(crypto::Backend backend, const ProfileParameters& profile,
                                          ByteView master, Protocol protocol) {
  const auto keys = derive_session_keys(backend, profile, master, protocol);
  if (!keys) return keys.error();
  return create(backend, profile, keys.value());
}

Result<void> PacketCipher::seal_rtp(Ssrc ssrc, std::uint64_t index, MutableByteView buffer,
                                    std::size_t header_size, ByteView payload) {
  if (aead_) {
    return aead_->seal(aead_nonce(salt_.view(), ssrc, index), buffer.first(header_size), payload,
                       buffer.subspan(header_size, payload.size() + rtp_tag_size_));
  }
  const std::size_t size = header_size + payload.size();
  auto done = counter_mode_->crypt(counter_block(salt_.view(), ssrc, index), payload,
                                   buffer.subspan(header_size, payload.size()));
  if (!done) return done;
  return hmac_->compute({buffer.first(size), big_endian(static_cast<std::uint32_t>(index >> 16))},
                        buffer.subspan(size, rtp_tag_size_));
}

Result<void> PacketCipher::open_rtp(Ssrc ssrc, std::uint64_t index, ByteView packet,
                                    std::size_t header_size, MutableByteView out) {
  if (aead_) {
    return aead_->open(aead_nonce(salt_.view(), ssrc, index), packet.first(header_size),
                       packet.subspan(header_size), out);
  }
  const std::size_t size = packet.size() - rtp_tag_size_;
  auto done = verify(packet.first(size), big_endian(static_cast<std::uint32_t>(index >> 16)),
                     packet.subspan(size));
  if (!done) return done;
  return counter_mode_->crypt(counter_block(salt_.view(), ssrc, index),
                              packet.subspan(header_size, size - header_size), out);
}

Result<void> PacketCipher::seal_rtcp(Ssrc ssrc, std::uint32_t index, MutableByteView buffer,
                                     std::size_t size) {
  const auto index_word = big_endian(index | kRtcpEncryptedFlag);
  const MutableByteView payload = buffer.subspan(kRtcpHeaderSize, size - kRtcpHeaderSize);
  if (aead_) {
    // The index word comes after the tag.
    auto done =
        aead_->seal(aead_nonce(salt_.view(), ssrc, index), rtcp_associated_data(buffer, index_word),
                    payload, buffer.subspan(kRtcpHeaderSize, payload.size() + rtcp_tag_size_));
    if (!done) return done;
    std::ranges::copy(index_word, buffer.subspan(size + rtcp_tag_size_).begin());
    return {};
  }
  // The index word comes before the tag, which covers it.
  auto done = counter_mode_->crypt(counter_block(salt_.view(), ssrc, index), payload, payload);
  if (!done) return done;
  std::ranges::copy(index_word, buffer.subspan(size).begin());
  return hmac_->compute({buffer.first(size + kRtcpIndexSize)},
                        buffer.subspan(size + kRtcpIndexSize, rtcp_tag_size_));
}

Result<void> PacketCipher::open_rtcp(Ssrc ssrc, std::uint32_t index, ByteView packet,
                                     MutableByteView out) {
  if (aead_) {
    const std::size_t sealed_end = packet.size() - kRtcpIndexSize;
    return aead_->open(aead_nonce(salt_.view(), ssrc, index),
                       rtcp_associated_data(packet, packet.subspan(sealed_end)),
                       packet.subspan(kRtcpHeaderSize, sealed_end - kRtcpHeaderSize), out);
  }
  const std::size_t tag_at = packet.size() - rtcp_tag_size_;
  if (auto done = verify(packet.first(tag_at), {}, packet.subspan(tag_at)); !done) return done;
  const std::size_t size = tag_at - kRtcpIndexSize;
  return counter_mode_->crypt(counter_block(salt_.view(), ssrc, index),
                              packet.subspan(kRtcpHeaderSize, size - kRtcpHeaderSize), out);
}

Result<void> PacketCipher::verify(ByteView authenticated, ByteView suffix, ByteView tag) {
  std::array<std::uint8_t, kAuthenticationKeySize> expected{};
  const MutableByteView truncated = MutableByteView(expected).first(tag.size());
  if (auto done = hmac_->compute({authenticated, suffix}, truncated); !done) return done;
  if (!equal_constant_time(truncated, tag)) return Error::authentication_failed;
  return {};
}

}  // namespace sealroom::srtp
