#include "sealroom/net/udp_socket.h"

#include <fcntl.h>

#include "support.h"

namespace sealroom::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UdpSocket, RefusesAndClosesWhatIsNoConnectedDatagramSocket) {
  const int unconnected = bound_socket();
  EXPECT_EQ(UdpSocket::adopt(unconnected).error(), Error::invalid_argument);
  EXPECT_FALSE(is_open(unconnected));
  const int stream = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(UdpSocket::adopt(stream).error(), Error::invalid_argument);
  EXPECT_FALSE(is_open(stream));
  EXPECT_EQ(UdpSocket::adopt(-1).error(), Error::invalid_argument);
}

TEST(UdpSocket, ClosesItsDescriptorOnce) {
  const auto [a, b] = connected_pair();
  {
    UdpSocket first = adopt(a);
    UdpSocket second = std::move(first);
    EXPECT_TRUE(is_open(a));
  }
  EXPECT_FALSE(is_open(a));
  ::close(b);
}

class Segmentation : public testing::TestWithParam<bool> {};

TEST_P(Segmentation, DatagramsArriveAsTheyWereCut) {
  struct Case {
    std::size_t count, size, last;
  };
  for (const Case c : {Case{1, 1200, 0}, Case{2, 1200, 0}, Case{10, 1188, 300}, Case{64, 1000, 1},
                       Case{200, 1200, 7}, Case{100, 60, 0}, Case{3, 40'000, 5}}) {
    const auto [a, b] = connected_pair();
    UdpSocket sender = adopt(a);
    UdpSocket receiver = adopt(b);
    if (!GetParam()) sender.disable_segmentation_offload();
    const Bytes run = datagram_run(c.count, c.size, c.last);
    const std::vector<Bytes> expected = split(run, c.size);
    sender.send(run, c.size);
    EXPECT_EQ(receive_all(receiver, expected.size()), expected) << c.count << " x " << c.size;
    EXPECT_EQ(sender.counters().datagrams_sent, expected.size());
    EXPECT_EQ(sender.counters().bytes_sent, run.size());
    EXPECT_EQ(sender.counters().send_errors, 0u);
    EXPECT_EQ(receiver.counters().datagrams_received, expected.size());
    EXPECT_EQ(receiver.counters().bytes_received, run.size());
  }
}

TEST_P(Segmentation, APlainReceiverGetsThemToo) {
  const auto [a, b] = connected_pair();
  UdpSocket sender = adopt(a);
  if (!GetParam()) sender.disable_segmentation_offload();
  const Bytes run = datagram_run(70, 1100, 99);
  sender.send(run, 1100);
  for (const Bytes& expected : split(run, 1100)) {
    ASSERT_TRUE(wait_readable(b));
    Bytes datagram(2000);
    const ssize_t size = ::recv(b, datagram.data(), datagram.size(), 0);
    ASSERT_GE(size, 0);
    datagram.resize(static_cast<std::size_t>(size));
    EXPECT_EQ(datagram, expected);
  }
  ::close(b);
}

INSTANTIATE_TEST_SUITE_P(Offload, Segmentation, testing::Bool());

#if defined(__linux__)
// A socket without checksums is one for which Linux refuses UDP_SEGMENT (EIO), as it does on
// devices without checksum offload.
TEST(UdpSocket, OffloadThatIsRefusedIsSwitchedOffAndNothingLost) {
  const auto [a, b] = connected_pair();
  const int on = 1;
  ASSERT_EQ(::setsockopt(a, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
  UdpSocket sender = adopt(a);
  UdpSocket receiver = adopt(b);
  const Bytes run = datagram_run(10, 1200, 500);
  sender.send(run, 1200);
  EXPECT_EQ(receive_all(receiver, 11), split(run, 1200));
  EXPECT_FALSE(sender.uses_segmentation_offload());
  EXPECT_EQ(sender.counters().datagrams_sent, 11u);
  EXPECT_EQ(sender.counters().send_errors, 0u);
}
#endif

TEST(UdpSocket, APeerThatComesBackIsReachedAgain) {
  const int a = bound_socket();
  int b = bound_socket();
  const std::uint16_t port = port_of(b);
  connect_to(a, port);
  ::close(b);
  UdpSocket sender = adopt(a);
  ReceiveBatch batch;
  const Bytes datagram(100, 0x80);
  for (int i = 0; i < 20; ++i) {  // each provokes "port unreachable" for the next call
    sender.send(datagram, datagram.size());
    batch.receive(sender);
    EXPECT_TRUE(batch.datagrams().empty());
  }
  b = bound_socket(port);
  connect_to(b, port_of(a));
  UdpSocket receiver = adopt(b);
  sender.send(datagram_run(3, 500, 0), 500);
  EXPECT_EQ(receive_all(receiver, 3).size(), 3u);
  receiver.send(datagram, datagram.size());
  EXPECT_EQ(receive_all(sender, 1).size(), 1u);
}

TEST(UdpSocket, AFullBufferIsCountedNotWaitedFor) {
  const auto [a, b] = connected_pair();
  UdpSocket sender = adopt(a);
  UdpSocket receiver = adopt(b);
  const Bytes run = datagram_run(54, 1200, 0);
  constexpr std::size_t kRuns = 1000;  // 64 MB, far over any receive buffer
  for (std::size_t i = 0; i < kRuns; ++i) sender.send(run, 1200);
  const std::size_t arrived = receive_all(receiver, kRuns * 54).size();
  sender.send(run, 1200);  // the kernel tells of drops with the next datagram
  const std::size_t after = receive_all(receiver, 54).size();
  EXPECT_EQ(after, 54u);
  const SocketCounters counters = receiver.counters();
  EXPECT_LT(arrived, kRuns * 54);
  EXPECT_EQ(counters.datagrams_received, arrived + after);
#if defined(__linux__)
  if (sender.uses_segmentation_offload()) {
    EXPECT_GT(counters.kernel_receive_drops, 0u);
  }
#endif
}

TEST(ReceiveBatch, SaysWhenNothingIsLeft) {
  const auto [a, b] = connected_pair();
  UdpSocket receiver = adopt(b);
  ReceiveBatch batch;
  EXPECT_FALSE(batch.receive(receiver));
  EXPECT_TRUE(batch.datagrams().empty());
  const Bytes datagram(10, 1);
  ASSERT_EQ(::send(a, datagram.data(), datagram.size(), 0), 10);
  ASSERT_TRUE(wait_readable(b));
  EXPECT_FALSE(batch.receive(receiver));
  EXPECT_EQ(batch.datagrams().size(), 1u);
  ::close(a);
}

TEST(ReceiveBatch, IgnoresEmptyDatagrams) {
  const auto [a, b] = connected_pair();
  UdpSocket receiver = adopt(b);
  ASSERT_EQ(::send(a, nullptr, 0, 0), 0);
  const Bytes datagram(10, 1);
  ASSERT_EQ(::send(a, datagram.data(), datagram.size(), 0), 10);
  EXPECT_EQ(receive_all(receiver, 1), std::vector<Bytes>{datagram});
  ::close(a);
}

}  // namespace
}  // namespace sealroom::net
