#include "sealroom/host/session_host.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <thread>

#include "session/support.h"

namespace sealroom::host {
namespace {

using session::FrameReceived;
using session::test::pattern;
using session::test::vp8_frame;

constexpr auto kProfile = srtp::Profile::aead_aes_256_gcm;

/// Two UDP sockets on loopback, connected to each other.
std::array<int, 2> connected_pair() {
  std::array<int, 2> fds{};
  std::array<sockaddr_in, 2> addresses{};
  for (std::size_t i = 0; i < 2; ++i) {
    fds[i] = ::socket(AF_INET, SOCK_DGRAM, 0);
    addresses[i].sin_family = AF_INET;
    addresses[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address = reinterpret_cast<sockaddr*>(&addresses[i]);
    socklen_t size = sizeof addresses[i];
    if (::bind(fds[i], address, size) != 0 || ::getsockname(fds[i], address, &size) != 0) {
      std::abort();
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (::connect(fds[i], reinterpret_cast<sockaddr*>(&addresses[1 - i]), sizeof(sockaddr_in)) !=
        0) {
      std::abort();
    }
  }
  return fds;
}

class SessionHostTest : public ::testing::Test {
 protected:
  SessionHostTest() {
    const Bytes a = pattern(44, 1);
    const Bytes b = pattern(44, 2);
    start(alice, a, b);
    start(bob, b, a);
    alice.with_session([&](session::MediaSession& media, TimePoint) {
      session::SenderConfig config;
      config.codec = rtp::Codec::vp8;
      config.payload_type = PayloadType{96};
      config.ssrc = Ssrc{1};
      sender = media.add_sender(config).value();
      return media.set_sender_key(sender, session::test::kSuite, KeyId{1}, pattern(32, 3)).ok();
    });
    bob.with_session([&](session::MediaSession& media, TimePoint) {
      session::ReceiverConfig config;
      config.codec = rtp::Codec::vp8;
      config.payload_type = PayloadType{96};
      config.ssrc = Ssrc{1};
      receiver = media.add_receiver(config).value();
      return media.add_receiver_key(receiver, session::test::kSuite, KeyId{1}, pattern(32, 3)).ok();
    });
  }

  static void start(SessionHost& host, const Bytes& send, const Bytes& receive) {
    const auto result = host.with_session([&](session::MediaSession& media, TimePoint) {
      return media.set_keys(kProfile, send, receive);
    });
    if (!result) std::abort();
  }

  static session::SessionConfig config() {
    return session::test::session_config(crypto::Backend::openssl);
  }

  Result<void> send(ByteView frame, std::uint32_t timestamp) {
    return alice.send_frame(sender, {frame, RtpTimestamp{timestamp}, {}});
  }

  /// Waits for the descriptor as an event loop does; gives up after 5 s.
  static std::vector<session::Event> wait_for_events(SessionHost& host) {
    pollfd waiting{host.event_descriptor(), POLLIN, 0};
    if (::poll(&waiting, 1, 5000) != 1) return {};
    return host.take_events(256);
  }

  net::IoThread io_thread;
  SessionHost alice{io_thread, config()};
  SessionHost bob{io_thread, config()};
  session::SenderId sender{};
  session::ReceiverId receiver{};
};

TEST_F(SessionHostTest, FramesCrossTheKernelAndTheDescriptorWakesTheReader) {
  const auto fds = connected_pair();
  ASSERT_TRUE(alice.attach_socket(fds[0]));
  ASSERT_TRUE(bob.attach_socket(fds[1]));
  const Bytes frame = vp8_frame(60'000, true, 5);
  ASSERT_TRUE(send(frame, 1));
  const auto events = wait_for_events(bob);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<FrameReceived>(events[0]).data, frame);
}

TEST_F(SessionHostTest, WhatIsNotMediaWaitsForItsOwner) {
  const auto fds = connected_pair();
  ASSERT_TRUE(bob.attach_socket(fds[1]));
  const Bytes stun{0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42};
  const Bytes dtls{0x16, 0xfe, 0xfd, 0x00};
  ASSERT_EQ(::send(fds[0], stun.data(), stun.size(), 0), static_cast<ssize_t>(stun.size()));
  ASSERT_EQ(::send(fds[0], dtls.data(), dtls.size(), 0), static_cast<ssize_t>(dtls.size()));
  std::vector<Bytes> control;
  for (int i = 0; i < 50 && control.size() < 2; ++i) {
    (void)wait_for_events(bob);
    for (Bytes& datagram : bob.take_control()) control.push_back(std::move(datagram));
  }
  ASSERT_EQ(control.size(), 2U);
  EXPECT_EQ(control[0], stun);
  EXPECT_EQ(control[1], dtls);
  ::close(fds[0]);
}

TEST_F(SessionHostTest, WithoutASocketDatagramsAreCarriedByHand) {
  const Bytes frame = vp8_frame(5000, true, 6);
  ASSERT_TRUE(send(frame, 1));
  const auto datagrams = alice.take_outgoing();
  EXPECT_EQ(datagrams.size(), 5U);
  for (const Bytes& datagram : datagrams) bob.receive_datagram(datagram);
  const auto events = wait_for_events(bob);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<FrameReceived>(events[0]).data, frame);
}

TEST_F(SessionHostTest, LostPacketIsRecoveredByTheTimersOfTheIoThread) {
  const Bytes frame = vp8_frame(5000, true, 7);
  ASSERT_TRUE(send(frame, 1));
  auto datagrams = alice.take_outgoing();
  datagrams.erase(datagrams.begin() + 1);
  for (const Bytes& datagram : datagrams) bob.receive_datagram(datagram);
  const auto deadline = net::IoThread::now() + std::chrono::seconds(5);
  std::vector<session::Event> events;
  while (events.empty() && net::IoThread::now() < deadline) {
    for (const Bytes& datagram : bob.take_outgoing()) alice.receive_datagram(datagram);
    for (const Bytes& datagram : alice.take_outgoing()) bob.receive_datagram(datagram);
    events = bob.take_events(16);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<FrameReceived>(events[0]).data, frame);
}

TEST_F(SessionHostTest, MayBeClosedWhileFramesFly) {
  const auto fds = connected_pair();
  ASSERT_TRUE(alice.attach_socket(fds[0]));
  ASSERT_TRUE(bob.attach_socket(fds[1]));
  std::thread sending([&] {
    const Bytes frame = vp8_frame(20'000, true, 8);
    std::uint32_t timestamp = 0;
    while (send(frame, timestamp += 3000)) {
    }
  });
  (void)wait_for_events(bob);
  bob.close();
  alice.close();
  sending.join();
  EXPECT_EQ(send(vp8_frame(100, true, 1), 1).error(), Error::not_ready);
  alice.close();
}

TEST_F(SessionHostTest, PacingSpreadsALargeFrameAndLosesNothing) {
  const auto fds = connected_pair();
  ASSERT_TRUE(alice.attach_socket(fds[0]));
  ASSERT_TRUE(bob.attach_socket(fds[1]));
  alice.set_pacing_rate(8'000'000);  // a byte per microsecond
  const Bytes frame = vp8_frame(100'000, true, 5);
  const TimePoint start = net::IoThread::now();
  ASSERT_TRUE(send(frame, 1));
  const auto events = wait_for_events(bob);
  const Duration taken = net::IoThread::now() - start;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<FrameReceived>(events[0]).data, frame);
  EXPECT_GT(taken, std::chrono::milliseconds(50));  // 95 ms by the rate; a loaded machine adds
  EXPECT_GT(alice.pacer_statistics().datagrams_delayed, 50U);
  EXPECT_EQ(alice.pacer_statistics().datagrams_overflow, 0U);
}

TEST_F(SessionHostTest, StoppingPacingSendsWhatWaits) {
  const auto fds = connected_pair();
  ASSERT_TRUE(alice.attach_socket(fds[0]));
  ASSERT_TRUE(bob.attach_socket(fds[1]));
  alice.set_pacing_rate(100'000);
  const Bytes frame = vp8_frame(20'000, true, 5);
  ASSERT_TRUE(send(frame, 1));
  EXPECT_GT(alice.pacer_statistics().queued_bytes, 0U);
  alice.set_pacing_rate(0);
  const auto events = wait_for_events(bob);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<FrameReceived>(events[0]).data, frame);
}

TEST_F(SessionHostTest, PacedDatagramsLeaveWithoutASocketToo) {
  alice.set_pacing_rate(8'000'000);
  ASSERT_TRUE(send(vp8_frame(50'000, true, 5), 1));
  std::size_t datagrams = 0;
  for (int i = 0; i < 500 && datagrams < 43; ++i) {
    datagrams += alice.take_outgoing().size();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_GE(datagrams, 43U);
}

/// One direction of an Opus call between two hosts.
struct AudioPair {
  explicit AudioPair(net::IoThread& io)
      : alice(io, session::test::session_config(crypto::Backend::openssl)),
        bob(io, session::test::session_config(crypto::Backend::openssl)) {
    const Bytes key = pattern(44, 1);
    const auto start = [&](session::MediaSession& media, TimePoint) {
      return media.set_keys(kProfile, key, key).ok();
    };
    if (!alice.with_session(start) || !bob.with_session(start)) std::abort();
    alice.with_session([&](session::MediaSession& media, TimePoint) {
      session::SenderConfig config;
      config.payload_type = PayloadType{111};
      config.ssrc = Ssrc{1};
      sender = media.add_sender(config).value();
      return media.set_sender_key(sender, session::test::kSuite, KeyId{1}, pattern(32, 3)).ok();
    });
    bob.with_session([&](session::MediaSession& media, TimePoint) {
      session::ReceiverConfig config;
      config.payload_type = PayloadType{111};
      config.ssrc = Ssrc{1};
      const auto receiver = media.add_receiver(config).value();
      return media.add_receiver_key(receiver, session::test::kSuite, KeyId{1}, pattern(32, 3)).ok();
    });
    const auto fds = connected_pair();
    if (!alice.attach_socket(fds[0]) || !bob.attach_socket(fds[1])) std::abort();
  }

  SessionHost alice;
  SessionHost bob;
  session::SenderId sender{};
};

TEST(SessionHosts, OneThreadServesHundredsOfSessions) {
  constexpr std::size_t kPairs = 110;
  constexpr std::uint32_t kFrames = 10;
  net::IoThread io;
  std::vector<std::unique_ptr<AudioPair>> pairs;
  for (std::size_t i = 0; i < kPairs; ++i) pairs.push_back(std::make_unique<AudioPair>(io));
  for (std::uint32_t n = 0; n < kFrames; ++n) {
    for (std::size_t i = 0; i < kPairs; ++i) {
      const Bytes frame = pattern(80, static_cast<std::uint8_t>(i));
      ASSERT_TRUE(pairs[i]->alice.send_frame(pairs[i]->sender, {frame, RtpTimestamp{n * 960}, {}}));
    }
  }
  // Opus frames leave the jitter buffer by its timer, so timers of all sessions must run too.
  for (std::size_t i = 0; i < kPairs; ++i) {
    std::size_t received = 0;
    for (int round = 0; round < 5000 && received < kFrames; ++round) {
      for (session::Event& event : pairs[i]->bob.take_events(256)) {
        const auto* const frame = std::get_if<FrameReceived>(&event);
        if (frame == nullptr || frame->is_missing) continue;
        ASSERT_EQ(frame->data, pattern(80, static_cast<std::uint8_t>(i)));
        ++received;
      }
      if (received < kFrames) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_EQ(received, kFrames) << "pair " << i;
  }
}

}  // namespace
}  // namespace sealroom::host
