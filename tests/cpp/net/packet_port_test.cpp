#include "sealroom/net/packet_port.h"

#include <atomic>
#include <mutex>

#include "support.h"

namespace sealroom::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

/// Collects media, and like a session host answers under its own mutex.
struct Sink final : MediaSink {
  void handle_media(std::span<const MutableByteView> datagrams, TimePoint) override {
    const std::lock_guard lock(mutex);
    ++batches;
    for (const MutableByteView datagram : datagrams) {
      media.emplace_back(datagram.begin(), datagram.end());
      if (answer_through != nullptr) answer_through->send(datagram, datagram.size());
    }
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return media.size();
  }

  std::mutex mutex;
  std::vector<Bytes> media;
  PacketPort* answer_through = nullptr;
  std::atomic<int> batches{0};
};

struct PacketPortTest : testing::Test {
  IoThread io;
  EventNotifier notifier;
  Sink sink;
  PacketPort port{io, sink, notifier};

  int attach() {
    const auto [a, b] = connected_pair();
    EXPECT_TRUE(port.attach(a).ok());
    return b;
  }
  static void send(int fd, const Bytes& datagram) {
    EXPECT_EQ(::send(fd, datagram.data(), datagram.size(), 0),
              static_cast<ssize_t>(datagram.size()));
  }
};

TEST_F(PacketPortTest, SeparatesMediaFromStunAndDtls) {
  const int peer = attach();
  const Bytes stun{0, 1, 2};
  const Bytes dtls{22, 254, 253};
  const Bytes rtp(50, 0x80);
  const Bytes rtcp(60, 0x81);
  send(peer, stun);
  send(peer, rtp);
  send(peer, dtls);
  send(peer, {255, 0});  // nothing RFC 7983 knows
  send(peer, rtcp);
  EXPECT_TRUE(
      eventually([&] { return sink.count() == 2 && port.counters().control_received == 3; }));
  EXPECT_TRUE(wait_readable(notifier.file_descriptor()));
  notifier.clear();
  EXPECT_EQ(port.take_control(), (std::vector<Bytes>{stun, dtls}));
  EXPECT_TRUE(port.take_control().empty());
  EXPECT_EQ(port.counters().control_dropped, 1u);
  EXPECT_GE(sink.batches, 1);
  const std::lock_guard lock(sink.mutex);
  EXPECT_EQ(sink.media, (std::vector<Bytes>{rtp, rtcp}));
  ::close(peer);
}

TEST_F(PacketPortTest, WithoutASocketDatagramsQueueAndTheOldestGo) {
  const std::size_t count = PacketPort::kMaxOutgoingDatagrams + 10;
  const Bytes run = datagram_run(count, 100, 50);
  port.send(run, 100);
  EXPECT_TRUE(wait_readable(notifier.file_descriptor(), 0));
  std::vector<Bytes> expected = split(run, 100);
  expected.erase(expected.begin(), expected.begin() + 11);
  EXPECT_EQ(port.take_outgoing(), expected);
  EXPECT_EQ(port.counters().outgoing_dropped, 11u);
  EXPECT_TRUE(port.take_outgoing().empty());
}

TEST_F(PacketPortTest, TheControlQueueIsBounded) {
  const int peer = attach();
  const std::size_t count = PacketPort::kMaxControlDatagrams + 20;
  for (std::size_t i = 0; i < count; ++i) send(peer, {0, static_cast<std::uint8_t>(i)});
  EXPECT_TRUE(eventually([&] { return port.counters().control_received == count; }));
  EXPECT_EQ(port.take_control().size(), PacketPort::kMaxControlDatagrams);
  EXPECT_EQ(port.counters().control_dropped, 20u);

  const Bytes large(60'000, 20);
  for (std::size_t i = 0; i < 30; ++i) send(peer, large);
  EXPECT_TRUE(eventually([&] { return port.counters().control_received == count + 30; }));
  EXPECT_EQ(port.take_control().size(), PacketPort::kMaxControlBytes / large.size());
  send(peer, {0, 1});  // what was taken makes room
  EXPECT_TRUE(eventually([&] { return port.take_control().size() == 1; }));
  ::close(peer);
}

TEST_F(PacketPortTest, TheSinkMaySendHoldingItsOwnMutex) {
  sink.answer_through = &port;
  const auto [a, b] = connected_pair();
  ASSERT_TRUE(port.attach(a).ok());
  UdpSocket peer = adopt(b);
  for (int i = 0; i < 500; ++i) {
    peer.send(Bytes(200, 0x80), 200);
    {
      const std::lock_guard lock(sink.mutex);
      port.send(Bytes(100, 0x81), 100);
    }
    if (i % 50 == 49) {
      EXPECT_EQ(receive_all(peer, 100).size(), 100u);
    }
  }
}

TEST_F(PacketPortTest, ANewSocketReplacesTheOldOneAndCountersGoOn) {
  const int first = attach();
  send(first, Bytes(10, 0x80));
  EXPECT_TRUE(eventually([&] { return sink.count() == 1; }));
  const int second = attach();
  send(second, Bytes(10, 0x80));
  EXPECT_TRUE(eventually([&] { return sink.count() == 2; }));
  EXPECT_EQ(port.counters().socket.datagrams_received, 2u);
  port.detach();
  port.detach();
  EXPECT_FALSE(port.is_attached());
  EXPECT_EQ(port.counters().socket.datagrams_received, 2u);
  port.send(Bytes(10, 0x80), 10);
  EXPECT_EQ(port.take_outgoing().size(), 1u);
  ::close(first);
  ::close(second);
}

TEST_F(PacketPortTest, ABadDescriptorLeavesTheSocketThatIsThere) {
  const int peer = attach();
  EXPECT_FALSE(port.attach(bound_socket()).ok());
  EXPECT_TRUE(port.is_attached());
  ::close(peer);
}

TEST_F(PacketPortTest, AttachAndDetachWhileMediaFlowsBothWays) {
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    const Bytes run = datagram_run(8, 500, 0);
    while (!stop) port.send(run, 500);
  });
  std::thread taker([&] {
    while (!stop) {
      (void)port.take_outgoing();
      (void)port.take_control();
      (void)port.counters();
    }
  });
  for (int i = 0; i < 50; ++i) {
    const int peer = attach();
    const std::size_t before = sink.count();
    for (int j = 0; j < 20; ++j) send(peer, Bytes(100, static_cast<std::uint8_t>(j % 2 * 0x80)));
    EXPECT_TRUE(eventually([&] { return sink.count() > before; }));
    if (i % 3 == 0) port.detach();
    ::close(peer);
  }
  stop = true;
  sender.join();
  taker.join();
}

}  // namespace
}  // namespace sealroom::net
