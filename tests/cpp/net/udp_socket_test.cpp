#include "sealroom/net/udp_socket.h"

#include <fcntl.h>

#include <array>
#include <cstdlib>
#include <string>

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

/// Every combination of what the kernel may be asked to do, over both families.
struct Acceleration {
  int family;
  bool gso;
  bool gro;
  bool mmsg;

  [[nodiscard]] SocketOptions options() const {
    SocketOptions result;
    result.segmentation_offload = gso;
    result.receive_offload = gro;
    result.message_batches = mmsg;
    return result;
  }
};

std::vector<Acceleration> all_accelerations() {
  std::vector<Acceleration> result;
  for (unsigned bits = 0; bits < 16; ++bits) {
    result.push_back(
        {(bits & 8) != 0 ? AF_INET6 : AF_INET, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0});
  }
  return result;
}

class Segmentation : public testing::TestWithParam<Acceleration> {
 protected:
  void SetUp() override {
    if (GetParam().family == AF_INET6 && !has_ipv6()) GTEST_SKIP() << "no IPv6 loopback here";
  }
};

TEST_P(Segmentation, DatagramsArriveAsTheyWereCut) {
  struct Case {
    std::size_t count, size, last;
  };
  for (const Case c : {Case{1, 1200, 0}, Case{2, 1200, 0}, Case{10, 1188, 300}, Case{64, 1000, 1},
                       Case{200, 1200, 7}, Case{100, 60, 0}, Case{3, 40'000, 5}}) {
    const auto [a, b] = connected_pair(GetParam().family);
    UdpSocket sender = adopt(a, GetParam().options());
    UdpSocket receiver = adopt(b, GetParam().options());
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
  const auto [a, b] = connected_pair(GetParam().family);
  UdpSocket sender = adopt(a, GetParam().options());
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

TEST_P(Segmentation, WhatIsSwitchedOffIsNotUsedAndTheRestIsWhatTheKernelHas) {
  const auto [a, b] = connected_pair(GetParam().family);
  const SocketProperties used = adopt(a, GetParam().options()).properties();
  const IoCapabilities& kernel = io_capabilities();
  EXPECT_EQ(used.segmentation_offload, GetParam().gso && kernel.segmentation_offload);
  EXPECT_EQ(used.receive_offload, GetParam().gro && kernel.receive_offload);
  EXPECT_EQ(used.message_batches, GetParam().mmsg && kernel.message_batches);
  ::close(b);
}

INSTANTIATE_TEST_SUITE_P(Offload, Segmentation, testing::ValuesIn(all_accelerations()),
                         [](const testing::TestParamInfo<Acceleration>& entry) {
                           const Acceleration& how = entry.param;
                           return std::string(how.family == AF_INET6 ? "Ipv6" : "Ipv4") +
                                  (how.gso ? "Gso" : "") + (how.gro ? "Gro" : "") +
                                  (how.mmsg ? "Mmsg" : "");
                         });

TEST(SocketOptions, TheEnvironmentSwitchesOffByName) {
  ASSERT_EQ(::setenv("SEALROOM_IO_DISABLE", "gso,unknown,mmsg", 1), 0);
  const SocketOptions options = SocketOptions::from_environment();
  EXPECT_FALSE(options.segmentation_offload);
  EXPECT_TRUE(options.receive_offload);
  EXPECT_FALSE(options.message_batches);
  ::unsetenv("SEALROOM_IO_DISABLE");
  EXPECT_TRUE(SocketOptions::from_environment().segmentation_offload);
}

TEST(UdpSocket, TellsWhichBufferSizesItGot) {
  const auto [a, b] = connected_pair();
  SocketOptions options;
  options.receive_buffer = 100'000;
  options.send_buffer = 50'000;
  const SocketProperties got = adopt(a, options).properties();
  EXPECT_EQ(got.receive_buffer_asked, 100'000u);
  EXPECT_EQ(got.send_buffer_asked, 50'000u);
  EXPECT_EQ(got.receive_buffer, 100'000u);  // below every default of rmem_max
  EXPECT_EQ(got.send_buffer, 50'000u);
  ::close(b);
}

// A cut by rmem_max cannot be had for the asking where the test is privileged, but the kernel's own
// minimum works the other way with the same code.
TEST(UdpSocket, ASizeTheKernelChangesIsReportedAsItIs) {
  const auto [a, b] = connected_pair();
  SocketOptions options;
  options.receive_buffer = 1;
  const SocketProperties got = adopt(a, options).properties();
  EXPECT_EQ(got.receive_buffer_asked, 1u);
  EXPECT_GT(got.receive_buffer, 1u);
  ::close(b);
}

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
  EXPECT_FALSE(sender.properties().segmentation_offload);
  EXPECT_EQ(sender.counters().segmentation_refusals,
            io_capabilities().segmentation_offload ? 1u : 0u);
  EXPECT_EQ(sender.counters().datagrams_sent, 11u);
  EXPECT_EQ(sender.counters().send_errors, 0u);
}

// IPV6_MTU narrows one socket as a tunnel on the way would: segments above it are refused with
// EINVAL or EMSGSIZE, and leave as IP fragments instead. That says nothing about smaller ones.
TEST(UdpSocket, SegmentsAboveThePathMtuGoWithoutOffloadAndTheOthersStillWithIt) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6 loopback here";
  const auto [a, b] = connected_pair(AF_INET6);
  const int mtu = 1280;
  ASSERT_EQ(::setsockopt(a, IPPROTO_IPV6, IPV6_MTU, &mtu, sizeof mtu), 0);
  UdpSocket sender = adopt(a);
  UdpSocket receiver = adopt(b);
  const Bytes run = datagram_run(5, 1400, 10);
  sender.send(run, 1400);
  EXPECT_EQ(receive_all(receiver, 6), split(run, 1400));
  EXPECT_EQ(sender.counters().send_errors, 0u);
  if (!io_capabilities().segmentation_offload) return;
  EXPECT_TRUE(sender.properties().segmentation_offload);
  EXPECT_EQ(sender.counters().segmentation_refusals, 1u);
  const Bytes smaller = datagram_run(5, 1200, 10);
  sender.send(smaller, 1200);
  EXPECT_EQ(receive_all(receiver, 6), split(smaller, 1200));
  EXPECT_TRUE(sender.properties().segmentation_offload);
  EXPECT_EQ(sender.counters().segmentation_refusals, 1u);
}

// The same where fragments are forbidden: the large ones are lost and counted, small ones pass.
TEST(UdpSocket, ADatagramThatMayNotBeFragmentedIsCountedAsTooLarge) {
  if (!has_ipv6()) GTEST_SKIP() << "no IPv6 loopback here";
  const auto [a, b] = connected_pair(AF_INET6);
  const int mtu = 1280;
  const int on = 1;
  ASSERT_EQ(::setsockopt(a, IPPROTO_IPV6, IPV6_MTU, &mtu, sizeof mtu), 0);
  ASSERT_EQ(::setsockopt(a, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof on), 0);
  UdpSocket sender = adopt(a);
  UdpSocket receiver = adopt(b);
  sender.send(datagram_run(3, 1400, 0), 1400);
  const Bytes small = datagram_run(3, 1000, 0);
  sender.send(small, 1000);
  EXPECT_EQ(receive_all(receiver, 3), split(small, 1000));
  EXPECT_EQ(sender.counters().send_too_large, 3u);
  EXPECT_EQ(sender.counters().send_errors, 3u);
  EXPECT_EQ(sender.counters().datagrams_sent, 3u);
}

// Loopback never fills a send buffer, as its datagrams count for the receiver; a local socket's do.
TEST_P(Segmentation, AFullSendBufferIsCountedNotWaitedFor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data()), 0);
  UdpSocket sender = adopt(ends[0], GetParam().options());
  const Bytes run = datagram_run(64, 1200, 0);
  for (int i = 0; i < 500; ++i) sender.send(run, 1200);
  const SocketCounters counters = sender.counters();
  EXPECT_GT(counters.datagrams_sent, 0u);
  EXPECT_GT(counters.send_buffer_full, 0u);
  EXPECT_EQ(counters.send_buffer_full, counters.send_errors);
  EXPECT_EQ(counters.datagrams_sent + counters.send_errors, 500u * 64u);
  ::close(ends[1]);
}

// Sent one by one each is charged to the receiver's small buffer, so the kernel must drop nearly
// all; it tells with the next datagram that fits.
TEST(UdpSocket, KernelDropsAreCountedOneByOne) {
  const auto [a, b] = connected_pair();
  SocketOptions narrow;
  narrow.receive_buffer = 8'000;
  UdpSocket sender = adopt(a, narrow);
  UdpSocket receiver = adopt(b, narrow);
  constexpr std::size_t kDatagrams = 1000;
  for (std::size_t i = 0; i < kDatagrams; ++i) sender.send(datagram_run(1, 1200, 0), 1200);
  const std::size_t arrived = receive_all(receiver, kDatagrams).size();
  sender.send(datagram_run(1, 100, 0), 100);
  ASSERT_EQ(receive_all(receiver, 1).size(), 1u);
  EXPECT_LT(arrived, kDatagrams);
  EXPECT_EQ(receiver.counters().kernel_receive_drops, kDatagrams - arrived);
}
#endif

TEST(UdpSocket, ADatagramTooLargeForUdpIsCountedAndTheNextPasses) {
  const auto [a, b] = connected_pair();
  UdpSocket sender = adopt(a);
  UdpSocket receiver = adopt(b);
  sender.send(Bytes(70'000, 1), 70'000);
  EXPECT_EQ(sender.counters().send_too_large, 1u);
  const Bytes datagram(100, 2);
  sender.send(datagram, datagram.size());
  EXPECT_EQ(receive_all(receiver, 1), std::vector<Bytes>{datagram});
}

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
  if (sender.properties().segmentation_offload) {
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
