#include "srtp/packet_cipher.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "sealroom/srtp/packet_header.h"

namespace sealroom::srtp {

namespace {

// As it lies in memory in network order.
std::uint64_t to_big_endian(std::uint64_t number) {
  return std::endian::native == std::endian::little ? __builtin_bswap64(number) : number;
}

// XORs the big-endian form of `number` into the eight bytes at `at`: this runs per packet, and a
// byte loop shows.
void xor_number(std::uint8_t* at, std::uint64_t number) {
  number = to_big_endian(number);
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  word ^= number;
  std::memcpy(at, &word, sizeof(word));
}

std::array<std::uint8_t, 4> big_endian(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

using crypto::kAeadTagSize;
constexpr std::size_t kRollOverCounterSize = 4;

std::array<std::uint8_t, kRollOverCounterSize> roll_over_counter_bytes(std::uint64_t index) {
  return big_endian(static_cast<std::uint32_t>(index >> 16));
}

void append_roll_over_counter(const SealJob& job, std::size_t size) {
  std::ranges::copy(roll_over_counter_bytes(job.index), job.buffer.subspan(size).begin());
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

crypto::AeadNonce aead_nonce(ByteView salt, Ssrc ssrc, std::uint64_t index) {
  return {salt, ssrc.value >> 16, static_cast<std::uint64_t>(ssrc.value) << 48 | index};
}

Result<PacketCipher> PacketCipher::create(crypto::Backend backend, const ProfileParameters& profile,
                                          const SessionKeys& keys, ByteView mki) {
  PacketCipher cipher;
  cipher.layout_ = PacketLayout(profile, mki.size());
  cipher.mki_.assign(mki.begin(), mki.end());
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
                                          ByteView master, Protocol protocol, ByteView mki) {
  const auto keys = derive_session_keys(backend, profile, master, protocol);
  if (!keys) return keys.error();
  return create(backend, profile, keys.value(), mki);
}

Result<void> PacketCipher::seal_rtp(const SealJob& job) {
  const std::size_t size = job.header_size + job.payload.size();
  if (aead_) {
    auto done = aead_->seal(aead_nonce(salt_.view(), job.ssrc, job.index).view(),
                            job.buffer.first(job.header_size), job.payload,
                            job.buffer.subspan(job.header_size, job.payload.size() + kAeadTagSize));
    if (done) std::ranges::copy(mki_, job.buffer.subspan(size + kAeadTagSize).begin());
    return done;
  }
  auto done = counter_mode_->crypt(counter_block(salt_.view(), job.ssrc, job.index), job.payload,
                                   job.buffer.subspan(job.header_size, job.payload.size()));
  if (!done) return done;
  // The roll-over counter is authenticated as if it ended the packet (RFC 3711 section 4.2). It is
  // put there for a moment, so that the MAC reads one piece; the tag takes at least its 4 bytes.
  append_roll_over_counter(job, size);
  std::array<std::uint8_t, kAuthenticationKeySize> tag;
  done = hmac_->compute({job.buffer.first(size + kRollOverCounterSize)}, tag);
  if (done) append_trailer(job, size, tag);
  return done;
}

Result<void> PacketCipher::seal_rtp_batch(std::span<const SealJob> jobs) {
  std::array<crypto::CtrMessage, kMaxBatch> encryptions;
  std::array<crypto::MacMessage, kMaxBatch> macs;
  std::array<std::array<std::uint8_t, kAuthenticationKeySize>, kMaxBatch> tags;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const SealJob& job = jobs[i];
    encryptions[i] = {counter_block(salt_.view(), job.ssrc, job.index), job.payload,
                      job.buffer.subspan(job.header_size, job.payload.size())};
  }
  auto done = counter_mode_->crypt_many(std::span(encryptions).first(jobs.size()));
  if (!done) return done;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::size_t size = jobs[i].header_size + jobs[i].payload.size();
    append_roll_over_counter(jobs[i], size);
    macs[i] = {jobs[i].buffer.first(size + kRollOverCounterSize), {}, tags[i]};
  }
  done = hmac_->compute_many(std::span(macs).first(jobs.size()));
  if (!done) return done;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    append_trailer(jobs[i], jobs[i].header_size + jobs[i].payload.size(), tags[i]);
  }
  return {};
}

void PacketCipher::append_trailer(const SealJob& job, std::size_t size, ByteView tag) const {
  std::ranges::copy(mki_, job.buffer.subspan(size).begin());
  std::ranges::copy(tag.first(layout_.rtp_tag_size()),
                    job.buffer.subspan(size + mki_.size()).begin());
}

Result<void> PacketCipher::open_rtp(const OpenJob& job) {
  const std::size_t end = job.packet.size() - layout_.rtp_overhead();
  if (aead_) {
    return aead_->open(
        aead_nonce(salt_.view(), job.ssrc, job.index).view(), job.packet.first(job.header_size),
        job.packet.subspan(job.header_size, end + kAeadTagSize - job.header_size), job.out);
  }
  auto done = verify(job.packet.first(end), roll_over_counter_bytes(job.index),
                     job.packet.last(layout_.rtp_tag_size()));
  if (!done) return done;
  return counter_mode_->crypt(counter_block(salt_.view(), job.ssrc, job.index),
                              job.packet.subspan(job.header_size, end - job.header_size), job.out);
}

Result<void> PacketCipher::verify_rtp_batch(std::span<const OpenJob> jobs,
                                            std::span<bool> authentic) {
  std::array<crypto::MacMessage, kMaxBatch> macs;
  std::array<std::array<std::uint8_t, kRollOverCounterSize>, kMaxBatch> counters;
  std::array<std::array<std::uint8_t, kAuthenticationKeySize>, kMaxBatch> tags;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    counters[i] = roll_over_counter_bytes(jobs[i].index);
    macs[i] = {jobs[i].packet.first(jobs[i].packet.size() - layout_.rtp_overhead()), counters[i],
               tags[i]};
  }
  auto done = hmac_->compute_many(std::span(macs).first(jobs.size()));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::size_t tag_size = layout_.rtp_tag_size();
    authentic[i] = done && equal_constant_time(ByteView(tags[i]).first(tag_size),
                                               jobs[i].packet.last(tag_size));
  }
  secure_wipe({tags.front().data(), jobs.size() * kAuthenticationKeySize});
  return done;
}

Result<void> PacketCipher::decrypt_rtp_batch(std::span<const OpenJob> jobs) {
  std::array<crypto::CtrMessage, kMaxBatch> messages;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const OpenJob& job = jobs[i];
    const std::size_t end = job.packet.size() - layout_.rtp_overhead();
    messages[i] = {counter_block(salt_.view(), job.ssrc, job.index),
                   job.packet.subspan(job.header_size, end - job.header_size), job.out};
  }
  return counter_mode_->crypt_many(std::span(messages).first(jobs.size()));
}

Result<void> PacketCipher::seal_rtcp(Ssrc ssrc, std::uint32_t index, MutableByteView buffer,
                                     std::size_t size) {
  const auto index_word = big_endian(index | kRtcpEncryptedFlag);
  const MutableByteView payload = buffer.subspan(kRtcpHeaderSize, size - kRtcpHeaderSize);
  const std::size_t tag_size = layout_.rtcp_tag_size();
  if (aead_) {
    auto done = aead_->seal(aead_nonce(salt_.view(), ssrc, index).view(),
                            rtcp_associated_data(buffer, index_word), payload,
                            buffer.subspan(kRtcpHeaderSize, payload.size() + tag_size));
    if (!done) return done;
    std::ranges::copy(index_word, buffer.subspan(size + tag_size).begin());
    std::ranges::copy(mki_, buffer.subspan(size + tag_size + kRtcpIndexSize).begin());
    return {};
  }
  auto done = counter_mode_->crypt(counter_block(salt_.view(), ssrc, index), payload, payload);
  if (!done) return done;
  const std::size_t end = size + kRtcpIndexSize;
  std::ranges::copy(index_word, buffer.subspan(size).begin());
  std::ranges::copy(mki_, buffer.subspan(end).begin());
  return hmac_->compute({buffer.first(end)}, buffer.subspan(end + mki_.size(), tag_size));
}

Result<void> PacketCipher::open_rtcp(Ssrc ssrc, std::uint32_t index, ByteView packet,
                                     MutableByteView out) {
  const std::size_t size = packet.size() - layout_.rtcp_overhead();
  if (aead_) {
    return aead_->open(aead_nonce(salt_.view(), ssrc, index).view(),
                       rtcp_associated_data(packet, layout_.rtcp_index_word(packet)),
                       packet.subspan(kRtcpHeaderSize, size + kAeadTagSize - kRtcpHeaderSize), out);
  }
  auto done = verify(packet.first(size + kRtcpIndexSize), {}, packet.last(layout_.rtcp_tag_size()));
  if (!done) return done;
  return counter_mode_->crypt(counter_block(salt_.view(), ssrc, index),
                              packet.subspan(kRtcpHeaderSize, size - kRtcpHeaderSize), out);
}

Result<void> PacketCipher::verify(ByteView authenticated, ByteView suffix, ByteView tag) {
  std::array<std::uint8_t, kAuthenticationKeySize> expected{};
  const MutableByteView truncated = MutableByteView(expected).first(tag.size());
  auto done = hmac_->compute({authenticated, suffix}, truncated);
  const bool is_authentic = done && equal_constant_time(truncated, tag);
  secure_wipe(expected);  // the right tag of a forged packet
  return done && !is_authentic ? Error::authentication_failed : done;
}

}  // namespace sealroom::srtp
