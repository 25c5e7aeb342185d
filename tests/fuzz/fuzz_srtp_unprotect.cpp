// The first byte chooses profile, protocol, back end and direction, the second MKI and batch; the
// rest is the packet.
//   byte 0  bits 0-1, 5 profile   bit 2 RTCP   bit 3 the other back end   bit 4 the packet is
//           plaintext to be protected first
//   byte 1  bits 0-1 size of the MKI 0, 1, 4, 128   bit 2 the packet is cut into a batch: a size
//   byte
//           before each packet

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "sealroom/srtp/packet_header.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"

using namespace sealroom;        // NOLINT(google-build-using-namespace)
using namespace sealroom::srtp;  // NOLINT(google-build-using-namespace)

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Setup {
  crypto::Backend backend;
  Profile profile;
  bool is_rtcp;
  Bytes mki;

  [[nodiscard]] Bytes master(std::uint8_t first = 0) const {
    const auto parameters = profile_parameters(profile).value();
    Bytes bytes(parameters.key_size + parameters.salt_size);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
    return bytes;
  }
  [[nodiscard]] Sender sender() const {
    return Sender::create(backend, profile, master(), {.mki = mki}).value();
  }
  // With a second key where MKIs can tell them apart.
  [[nodiscard]] Receiver receiver() const {
    auto receiver = Receiver::create(backend, profile, master(), {.mki = mki}).value();
    if (!mki.empty()) require(receiver.set_key(master(9), Bytes(mki.size(), 0xEE)).ok());
    return receiver;
  }
};

Result<std::size_t> unprotect(const Setup& setup, Receiver& receiver, ByteView packet,
                              MutableByteView out) {
  return setup.is_rtcp ? receiver.unprotect_rtcp(packet, out) : receiver.unprotect_rtp(packet, out);
}

Result<std::size_t> protect(const Setup& setup, Sender& sender, ByteView packet,
                            MutableByteView out) {
  if (setup.is_rtcp) {
    std::ranges::copy(packet, out.begin());
    return sender.protect_rtcp(out, packet.size());
  }
  const auto header = parse_rtp_header(packet);
  if (!header) return header.error();
  const std::size_t size = header.value().size;
  require(size <= packet.size());
  std::ranges::copy(packet.first(size), out.begin());
  return sender.protect_rtp(out, size, packet.subspan(size));
}

// What the peer sent, judged twice: once into another buffer and once in place.
void check_sealed(const Setup& setup, ByteView packet) {
  auto apart = setup.receiver();
  auto in_place = setup.receiver();
  Bytes out(packet.size());
  Bytes same(packet.begin(), packet.end());
  const auto first = unprotect(setup, apart, packet, out);
  const auto second = unprotect(setup, in_place, same, same);
  require(first.ok() == second.ok());
  require(apart.stream_count() == (first.ok() ? 1U : 0U));
  if (!first) {
    require(first.error() == second.error());
    return;
  }
  require(first.value() == second.value() && first.value() < packet.size());
  require(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(first.value()),
                     same.begin()));
  const auto again = unprotect(setup, apart, packet, out);
  require(!again && again.error() == Error::replayed);
}

void check_plaintext(const Setup& setup, ByteView packet) {
  auto sender = setup.sender();
  auto receiver = setup.receiver();
  Bytes sealed(packet.size() + (setup.is_rtcp ? sender.rtcp_overhead() : sender.rtp_overhead()));
  const auto size = protect(setup, sender, packet, sealed);
  if (!size) return;
  require(size.value() == sealed.size());
  Bytes out(packet.size());
  const auto opened = unprotect(setup, receiver, sealed, out);
  require(opened.ok() && opened.value() == packet.size() && std::ranges::equal(out, packet));
}

// Pieces of the input, sealed where the direction says so and they are RTP, must get from a batch
// what they get one by one.
void check_batch(const Setup& setup, ByteView input, bool seals) {
  std::vector<Bytes> packets;
  auto sender = setup.sender();
  while (!input.empty() && packets.size() < 200) {
    const std::size_t size = std::min<std::size_t>(input[0], input.size() - 1);
    const ByteView piece = input.subspan(1, size);
    input = input.subspan(1 + size);
    Bytes packet(piece.begin(), piece.end());
    if (seals) {
      packet.resize(piece.size() + sender.rtp_overhead());
      const auto sealed = protect(setup, sender, piece, packet);
      packet.resize(sealed ? sealed.value() : piece.size());
      if (!sealed) packet.assign(piece.begin(), piece.end());
    }
    packets.push_back(std::move(packet));
  }
  auto single = setup.receiver();
  auto batch = setup.receiver();
  std::vector<Bytes> outputs;
  for (const Bytes& packet : packets) outputs.emplace_back(packet.size());
  std::vector<UnprotectTask> tasks(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) tasks[i] = {packets[i], outputs[i]};
  std::size_t accepted = batch.unprotect_rtp_batch(tasks);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Bytes out(packets[i].size());
    const auto expected = single.unprotect_rtp(packets[i], out);
    require(expected.ok() == tasks[i].size.ok());
    if (!expected) {
      require(expected.error() == tasks[i].size.error());
      continue;
    }
    require(expected.value() == tasks[i].size.value() && out == outputs[i]);
    --accepted;
  }
  require(accepted == 0 && single.stream_count() == batch.stream_count());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr std::array kProfiles{Profile::aes128_cm_sha1_80, Profile::aes128_cm_sha1_32,
                                 Profile::aead_aes_128_gcm,  Profile::aead_aes_256_gcm,
                                 Profile::aes256_cm_sha1_80, Profile::aes256_cm_sha1_32,
                                 Profile::aes128_cm_sha1_80, Profile::aead_aes_128_gcm};
  constexpr std::array<std::size_t, 4> kMkiSizes{0, 1, 4, 128};
  const std::uint8_t choice = data[0];
  const std::uint8_t more = data[1];
  const bool other_backend = (choice & 8) != 0 && crypto::is_available(crypto::Backend::ipsec_mb);
  const bool seals = (choice & 16) != 0;
  Setup setup{other_backend ? crypto::Backend::ipsec_mb : crypto::Backend::openssl,
              kProfiles[(choice & 3) | (choice & 32) >> 3], (choice & 4) != 0,
              Bytes(kMkiSizes[more & 3], 0xAB)};
  // A copy of exactly this size, so that a read past its end is seen.
  const Bytes packet(data + 2, data + size);
  if ((more & 4) != 0) {
    setup.is_rtcp = false;
    check_batch(setup, packet, seals);
  } else if (seals) {
    check_plaintext(setup, packet);
  } else {
    check_sealed(setup, packet);
  }
  return 0;
}
