#pragma once

#include <functional>
#include <random>
#include <vector>

#include "sealroom/session/media_session.h"

namespace sealroom::session::test {

inline constexpr TimePoint kStart{std::chrono::seconds(100)};
inline constexpr auto kSuite = sframe::CipherSuite::aes_256_gcm_sha512_128;
inline const NtpTime kWallClock{0xE0000000'00000000ULL};

inline Bytes pattern(std::size_t size, std::uint8_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(seed + i * 7 + (i >> 8) * 13);
  }
  return bytes;
}

/// What matters of a VP8 frame here: the key-frame bit, the start code, and the size.
inline Bytes vp8_frame(std::size_t size, bool key, std::uint8_t seed) {
  Bytes frame = pattern(size, seed);
  frame[0] = static_cast<std::uint8_t>(key ? frame[0] & ~1 : frame[0] | 1);
  if (key && size >= 10) {
    frame[3] = 0x9d;
    frame[4] = 0x01;
    frame[5] = 0x2a;
  }
  return frame;
}

inline SessionConfig session_config(crypto::Backend backend) {
  SessionConfig config;
  config.backend = backend;
  config.cname = "test";
  config.rtcp_ssrc = Ssrc{0xfeedbacc};
  (void)config.extensions.set(rtp::ExtensionType::mid, 1);
  (void)config.extensions.set(rtp::ExtensionType::abs_send_time, 2);
  return config;
}

/// Two sessions with opposite SRTP keys and a link that a test may bend.
class Pair {
 public:
  explicit Pair(crypto::Backend backend, srtp::Profile profile = srtp::Profile::aead_aes_256_gcm)
      : alice(session_config(backend)), bob(session_config(backend)) {
    const auto parameters = srtp::profile_parameters(profile).value();
    const Bytes a = pattern(parameters.key_size + parameters.salt_size, 1);
    const Bytes b = pattern(parameters.key_size + parameters.salt_size, 99);
    if (!alice.set_keys(profile, a, b) || !bob.set_keys(profile, b, a)) std::abort();
  }

  /// A VP8 track from alice to bob under one end-to-end key.
  void add_video(bool protection = true, bool rtx = false) {
    SenderConfig sender_config;
    sender_config.codec = rtp::Codec::vp8;
    sender_config.payload_type = PayloadType{96};
    sender_config.ssrc = Ssrc{1111};
    sender_config.mid = "v";
    sender_config.first_sequence_number = 65500;  // every test crosses a wrap
    sender_config.protection = protection;
    if (rtx) sender_config.rtx = RtxSenderConfig{Ssrc{2222}, PayloadType{97}, 65530};
    video_sender = alice.add_sender(sender_config).value();
    ReceiverConfig receiver_config;
    receiver_config.codec = rtp::Codec::vp8;
    receiver_config.payload_type = PayloadType{96};
    receiver_config.mid = "v";
    receiver_config.protection = protection;
    if (rtx) receiver_config.rtx = RtxReceiverConfig{PayloadType{97}, std::nullopt, {}};
    video_receiver = bob.add_receiver(receiver_config).value();
    if (protection) {
      (void)alice.set_sender_key(video_sender, kSuite, KeyId{1}, pattern(32, 5));
      (void)bob.add_receiver_key(video_receiver, kSuite, KeyId{1}, pattern(32, 5));
    }
  }

  /// Takes what alice sends, passes each datagram through `bend` (false: lost), gives it to bob.
  void alice_to_bob(const std::function<bool(Bytes&)>& bend = nullptr) { move(alice, bob, bend); }
  void bob_to_alice(const std::function<bool(Bytes&)>& bend = nullptr) { move(bob, alice, bend); }

  std::vector<Event> events_of(MediaSession& session) const {
    std::vector<Event> events;
    Event event;
    while (session.poll_event(event, now)) events.push_back(std::move(event));
    return events;
  }

  template <class Kind>
  std::vector<Kind> take(MediaSession& session) const {
    std::vector<Kind> result;
    for (Event& event : events_of(session)) {
      if (auto* wanted = std::get_if<Kind>(&event)) result.push_back(std::move(*wanted));
    }
    return result;
  }

  Result<void> send_video(ByteView frame, std::uint32_t timestamp) {
    OutgoingFrame outgoing;
    outgoing.data = frame;
    outgoing.timestamp = RtpTimestamp{timestamp};
    return alice.send_frame(video_sender, outgoing, now, kWallClock);
  }

  MediaSession alice;
  MediaSession bob;
  SenderId video_sender{};
  ReceiverId video_receiver{};
  TimePoint now = kStart;

 private:
  void move(MediaSession& from, MediaSession& to, const std::function<bool(Bytes&)>& bend) {
    DatagramBatch::Run run;
    std::vector<Bytes> datagrams;
    while (from.poll_transmit(run)) {
      for (std::size_t at = 0; at < run.data.size(); at += run.segment_size) {
        const ByteView view =
            run.data.subspan(at, std::min(run.segment_size, run.data.size() - at));
        datagrams.emplace_back(view.begin(), view.end());
      }
    }
    for (Bytes& datagram : datagrams) {
      if (bend == nullptr || bend(datagram)) to.handle_datagram(datagram, now, kWallClock);
    }
    to.flush_feedback(now);
  }
};

}  // namespace sealroom::session::test
