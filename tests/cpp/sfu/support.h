#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sealroom/rtp/rtcp.h"
#include "sealroom/sfu/router.h"
#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"
#include "support/backends.h"

namespace sealroom::sfu::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr PayloadType kVideoType{96};
inline constexpr PayloadType kAudioType{111};
inline constexpr Ssrc kVideoSsrc{0x1111};
inline constexpr Ssrc kAudioSsrc{0x2222};

struct Case {
  crypto::Backend backend;
  srtp::Profile profile;
};

inline std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto backend : sealroom::test::available_backends()) {
    for (const auto profile : {srtp::Profile::aes128_cm_sha1_80, srtp::Profile::aead_aes_128_gcm,
                               srtp::Profile::aead_aes_256_gcm}) {
      cases.push_back({backend, profile});
    }
  }
  return cases;
}

inline std::string case_name(const testing::TestParamInfo<Case>& info) {
  return std::string(crypto::backend_name(info.param.backend)) + "_" +
         std::string(srtp::profile_parameters(info.param.profile).value().name);
}

template <class T>
T must(Result<T> result) {
  if (!result) std::abort();
  return std::move(result).value();
}

inline Bytes pattern(std::size_t size, std::size_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(seed * 31 + i * 7 + (i >> 8) * 13);
  }
  return bytes;
}

/// A VP8 payload as the router may see it: descriptor, then the byte with the key-frame bit, then
/// ciphertext.
inline Bytes vp8_payload(std::size_t size, bool starts_frame, bool key, std::size_t seed) {
  Bytes payload = pattern(size, seed);
  payload[0] = starts_frame ? 0x10 : 0x00;
  payload[1] = static_cast<std::uint8_t>(key ? payload[1] & ~1 : payload[1] | 1);
  if (starts_frame && key && size >= 11) {
    payload[4] = 0x9d;
    payload[5] = 0x01;
    payload[6] = 0x2a;
  }
  return payload;
}

inline rtp::ExtensionMap extension_ids(std::uint8_t mid, std::uint8_t time, std::uint8_t level) {
  rtp::ExtensionMap map;
  (void)map.set(rtp::ExtensionType::mid, mid);
  (void)map.set(rtp::ExtensionType::abs_send_time, time);
  (void)map.set(rtp::ExtensionType::audio_level, level);
  return map;
}

struct PacketSpec {
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  bool marker = false;
  PayloadType type = kVideoType;
  Ssrc ssrc = kVideoSsrc;
  std::string mid;
  std::optional<std::uint32_t> abs_send_time;
  std::optional<rtp::AudioLevel> audio_level;
};

/// What came out of the router for one end, opened with that end's own keys.
struct Arrival {
  Bytes sealed;
  Bytes opened;  ///< empty if it did not authenticate or was a repetition
  std::optional<Error> error;

  [[nodiscard]] rtp::RtpPacketView view() const { return must(rtp::RtpPacketView::parse(opened)); }
};

/// The compound that `write(rtp::RtcpWriter&)` writes.
template <class Write>
Bytes rtcp(Write&& write) {
  Bytes compound(1400);
  rtp::RtcpWriter writer(compound);
  write(writer);
  compound.resize(writer.size());
  return compound;
}

inline Bytes nack(Ssrc media, const std::vector<std::uint16_t>& numbers) {
  return rtcp([&](rtp::RtcpWriter& writer) { (void)writer.nack(Ssrc{9}, media, numbers); });
}

/// The far end of one transport.
class Peer {
 public:
  Peer(TransportId transport, const Case& param, ByteView to_router, ByteView from_router,
       const rtp::ExtensionMap& map)
      : id(transport),
        extensions(map),
        sender_(must(srtp::Sender::create(param.backend, param.profile, to_router,
                                          {.allow_repeats = true}))),
        receiver_(must(srtp::Receiver::create(param.backend, param.profile, from_router,
                                              {.replay_window = 4096}))) {}

  Bytes seal(const PacketSpec& spec, ByteView payload) {
    rtp::RtpHeader header;
    header.marker = spec.marker;
    header.payload_type = spec.type;
    header.sequence_number = spec.sequence;
    header.timestamp = RtpTimestamp{spec.timestamp};
    header.ssrc = spec.ssrc;
    rtp::HeaderExtensions values;
    values.mid = spec.mid;
    values.abs_send_time = spec.abs_send_time;
    values.audio_level = spec.audio_level;
    Bytes packet(payload.size() + 100);
    const auto header_size = must(rtp::write_header(header, values, extensions, packet));
    packet.resize(must(sender_.protect_rtp(packet, header_size, payload)));
    return packet;
  }

  Bytes seal_rtcp(Bytes compound) {
    const std::size_t size = compound.size();
    compound.resize(size + srtp::kMaxRtcpOverhead);
    compound.resize(must(sender_.protect_rtcp(compound, size)));
    return compound;
  }

  void receive(ByteView datagram) {
    Arrival arrival;
    arrival.sealed.assign(datagram.begin(), datagram.end());
    arrival.opened.resize(datagram.size());
    const bool is_rtcp = rtp::is_rtcp(datagram);
    const auto size = is_rtcp ? receiver_.unprotect_rtcp(datagram, arrival.opened)
                              : receiver_.unprotect_rtp(datagram, arrival.opened);
    if (!size) arrival.error = size.error();
    arrival.opened.resize(size.ok() ? size.value() : 0);
    (is_rtcp ? control : media).push_back(std::move(arrival));
  }

  /// The RTCP packets of a kind that arrived, each with its whole compound checked.
  [[nodiscard]] std::vector<rtp::RtcpPacketView> find(
      rtp::RtcpType type, std::optional<std::uint8_t> format = {}) const {
    std::vector<rtp::RtcpPacketView> result;
    for (const Arrival& arrival : control) {
      rtp::RtcpReader reader(arrival.opened);
      rtp::RtcpPacketView packet;
      while (reader.next(packet)) {
        if (packet.type == type && (!format || packet.count_or_format == *format)) {
          result.push_back(packet);
        }
      }
      EXPECT_TRUE(reader.ok());
    }
    return result;
  }
  [[nodiscard]] std::size_t key_frame_requests() const {
    return find(rtp::RtcpType::payload_feedback, rtp::kPliFormat).size();
  }

  TransportId id;
  rtp::ExtensionMap extensions;
  std::vector<Arrival> media;
  std::vector<Arrival> control;

 private:
  srtp::Sender sender_;
  srtp::Receiver receiver_;
};

/// A router with its ends, in simulated time.
class Network {
 public:
  explicit Network(Case param, RouterLimits limits = {})
      : param_(param), router(param.backend, limits) {}

  Peer& add_peer(const rtp::ExtensionMap& map = extension_ids(1, 2, 3)) {
    const TransportId id = must(router.add_transport());
    if (!router.set_extensions(id, map)) std::abort();
    const auto parameters = srtp::profile_parameters(param_.profile).value();
    const Bytes to_router = pattern(parameters.key_size + parameters.salt_size, 2 * id.value);
    const Bytes from_router = pattern(parameters.key_size + parameters.salt_size, 2 * id.value + 1);
    if (!router.set_keys(id, param_.profile, from_router, to_router)) std::abort();
    return peers_.emplace(id.value, Peer(id, param_, to_router, from_router, map)).first->second;
  }

  ProducerId add_video(const Peer& publisher) {
    return must(router.add_producer(publisher.id, {rtp::Codec::vp8, kVideoType, kVideoSsrc, "v"}));
  }
  ProducerId add_audio(const Peer& publisher) {
    return must(router.add_producer(publisher.id, {rtp::Codec::opus, kAudioType, kAudioSsrc, "a"}));
  }
  ConsumerId add_consumer(const Peer& subscriber, ProducerId producer, Ssrc ssrc,
                          std::uint16_t first = 1000, PayloadType type = PayloadType{120},
                          std::string mid = "m1") {
    return must(router.add_consumer(subscriber.id, producer, {type, ssrc, std::move(mid), first}));
  }

  /// One input, then drain.
  void deliver(const Peer& from, Bytes datagram) {
    router.handle_datagram(from.id, datagram, now);
    drain();
  }
  void send(Peer& from, const PacketSpec& spec, ByteView payload) {
    deliver(from, from.seal(spec, payload));
  }
  void send_rtcp(Peer& from, Bytes compound) { deliver(from, from.seal_rtcp(std::move(compound))); }
  void send_nack(Peer& from, Ssrc media, const std::vector<std::uint16_t>& numbers) {
    send_rtcp(from, nack(media, numbers));
  }
  void send_key_frame_request(Peer& from, Ssrc media) {
    send_rtcp(from, rtcp([&](rtp::RtcpWriter& writer) {
                (void)writer.picture_loss_indication(Ssrc{9}, media);
              }));
  }

  void drain() {
    Transmit transmit;
    while (router.poll_transmit(transmit)) {
      ByteView rest = transmit.data;
      while (!rest.empty()) {
        const ByteView datagram = rest.first(std::min(transmit.segment_size, rest.size()));
        rest = rest.subspan(datagram.size());
        const auto peer = peers_.find(transmit.transport.value);
        if (peer != peers_.end()) peer->second.receive(datagram);
      }
    }
  }

  /// Lets time pass, firing every timer at its time.
  void advance(Duration duration) {
    const TimePoint end = now + duration;
    for (int i = 0; router.next_timeout() <= end; ++i) {
      if (i > 100'000) FAIL() << "the router's timer never comes to rest";
      now = std::max(now, router.next_timeout());
      router.handle_timeout(now);
      drain();
    }
    now = end;
  }

 private:
  Case param_;
  std::map<std::uint64_t, Peer> peers_;

 public:
  Router router;
  TimePoint now{seconds(100)};
};

class RouterTest : public testing::TestWithParam<Case> {
 protected:
  /// Sends the frame's packets `first` .. `first + count - 1`, the first one starting it.
  void send_frame(Peer& publisher, std::uint16_t first, std::size_t count, bool key,
                  std::uint32_t timestamp, std::vector<std::uint16_t> lost = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      PacketSpec spec;
      spec.sequence = static_cast<std::uint16_t>(first + i);
      spec.timestamp = timestamp;
      spec.marker = i + 1 == count;
      const Bytes sealed = publisher.seal(spec, vp8_payload(500, i == 0, key, spec.sequence));
      if (std::find(lost.begin(), lost.end(), spec.sequence) == lost.end()) {
        network.deliver(publisher, sealed);
      }
    }
  }

  Network network{GetParam()};
};

#define SEALROOM_INSTANTIATE_ROUTER_TEST(Suite) \
  INSTANTIATE_TEST_SUITE_P(All, Suite, testing::ValuesIn(all_cases()), case_name)

}  // namespace sealroom::sfu::test
