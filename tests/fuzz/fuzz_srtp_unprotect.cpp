// The first byte chooses profile, protocol, back end and direction; the rest is the packet.
//   bits 0-1 profile   bit 2 RTCP   bit 3 the other back end   bit 4 the packet is plaintext to be
//   protected first

#include <algorithm>
#include <array>
#include <cstdlib>

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

  [[nodiscard]] Bytes master() const {
    const auto parameters = profile_parameters(profile).value();
    Bytes bytes(parameters.key_size + parameters.salt_size);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
    return bytes;
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
  auto apart = Receiver::create(setup.backend, setup.profile, setup.master()).value();
  auto in_place = Receiver::create(setup.backend, setup.profile, setup.master()).value();
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
  auto sender = Sender::create(setup.backend, setup.profile, setup.master()).value();
  auto receiver = Receiver::create(setup.backend, setup.profile, setup.master()).value();
  Bytes sealed(packet.size() + kMaxRtcpOverhead);
  const auto size = protect(setup, sender, packet, sealed);
  if (!size) return;
  sealed.resize(size.value());
  Bytes out(packet.size());
  const auto opened = unprotect(setup, receiver, sealed, out);
  require(opened.ok() && opened.value() == packet.size() && std::ranges::equal(out, packet));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array kProfiles{Profile::aes128_cm_sha1_80, Profile::aes128_cm_sha1_32,
                                 Profile::aead_aes_128_gcm, Profile::aead_aes_256_gcm};
  const std::uint8_t choice = data[0];
  const bool other_backend = (choice & 8) != 0 && crypto::is_available(crypto::Backend::ipsec_mb);
  const Setup setup{other_backend ? crypto::Backend::ipsec_mb : crypto::Backend::openssl,
                    kProfiles[choice & 3], (choice & 4) != 0};
  // A copy of exactly this size, so that a read past its end is seen.
  const Bytes packet(data + 1, data + size);
  if ((choice & 16) != 0) {
    check_plaintext(setup, packet);
  } else {
    check_sealed(setup, packet);
  }
  return 0;
}
