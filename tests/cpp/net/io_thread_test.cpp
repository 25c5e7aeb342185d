#include "sealroom/net/io_thread.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "support.h"

namespace sealroom::net {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)
using std::chrono::milliseconds;

struct Timer final : TimerHandler {
  explicit Timer(std::function<void(TimePoint)> function) : on_timer(std::move(function)) {}
  void handle_timer(TimePoint now) override { on_timer(now); }
  std::function<void(TimePoint)> on_timer;
};

struct Reader final : DatagramHandler {
  void handle_datagrams(std::span<MutableByteView> views, TimePoint) override {
    datagrams += static_cast<int>(views.size());
    ++batches;
    if (on_batch) on_batch();
  }
  std::function<void()> on_batch;
  std::atomic<int> datagrams{0};
  std::atomic<int> batches{0};
};

TEST(IoThread, TimersFireInOrderAndNeverEarly) {
  std::mutex mutex;
  std::vector<int> order;
  std::atomic<bool> early{false};
  const TimePoint start = IoThread::now();
  std::vector<std::unique_ptr<Timer>> timers;
  IoThread io;
  for (const int delay : {30, 10, 20}) {
    timers.push_back(std::make_unique<Timer>([&, delay](TimePoint now) {
      if (now < start + milliseconds(delay)) early = true;
      const std::lock_guard lock(mutex);
      order.push_back(delay);
    }));
    io.arm(io.add_timer(*timers.back()), start + milliseconds(delay));
  }
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return order.size() == 3;
  }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(order, (std::vector{10, 20, 30}));
  EXPECT_FALSE(early);
}

TEST(IoThread, AnEarlierTimeWakesASleepingThread) {
  std::atomic<int> fired{0};
  Timer timer([&](TimePoint) { ++fired; });
  IoThread io;
  const auto id = io.add_timer(timer);
  io.arm(id, IoThread::now() + std::chrono::hours(1));
  std::this_thread::sleep_for(milliseconds(20));
  io.arm(id, IoThread::now());
  EXPECT_TRUE(eventually([&] { return fired == 1; }));
}

TEST(IoThread, ADisarmedOrFiredTimerStaysSilent) {
  std::atomic<int> fired{0};
  Timer timer([&](TimePoint) { ++fired; });
  IoThread io;
  const auto id = io.add_timer(timer);
  io.arm(id, IoThread::now() + milliseconds(20));
  io.arm(id, kNever);
  std::this_thread::sleep_for(milliseconds(40));
  EXPECT_EQ(fired, 0);
  io.arm(id, IoThread::now());
  EXPECT_TRUE(eventually([&] { return fired == 1; }));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(fired, 1);
}

TEST(IoThread, ATimerAlwaysDueDoesNotStarveSockets) {
  const auto [a, b] = connected_pair();
  UdpSocket socket = adopt(a);
  Reader reader;
  IoThread::Id id = 0;
  IoThread* io_pointer = nullptr;
  Timer timer([&](TimePoint) { io_pointer->arm(id, TimePoint{}); });
  IoThread io;
  io_pointer = &io;
  id = io.add_timer(timer);
  io.arm(id, TimePoint{});
  const auto registration = io.add_socket(socket, reader);
  ASSERT_TRUE(registration.ok());
  ASSERT_EQ(::send(b, "x", 1, 0), 1);
  EXPECT_TRUE(eventually([&] { return reader.batches == 1; }));
  io.remove_timer(id);
  io.remove_socket(registration.value());
  ::close(b);
}

TEST(IoThread, RemovalWaitsForTheRunningHandler) {
  std::atomic<bool> entered{false};
  std::atomic<bool> left{false};
  Timer timer([&](TimePoint) {
    entered = true;
    std::this_thread::sleep_for(milliseconds(50));
    left = true;
  });
  IoThread io;
  const auto id = io.add_timer(timer);
  io.arm(id, TimePoint{});
  ASSERT_TRUE(eventually([&] { return entered.load(); }));
  io.remove_timer(id);
  EXPECT_TRUE(left);
  io.arm(id, TimePoint{});  // of a timer that is gone: nothing
  io.remove_timer(id);
}

TEST(IoThread, AHandlerMayRemoveAndDestroyItself) {
  const auto [a, b] = connected_pair();
  IoThread io;
  auto socket = std::make_unique<UdpSocket>(adopt(a));
  auto reader = std::make_unique<Reader>();
  std::mutex mutex;  // until `id` is written
  IoThread::Id id = 0;
  std::atomic<int> seen{0};
  reader->on_batch = [&] {
    ++seen;
    const std::lock_guard lock(mutex);
    io.remove_socket(id);
    socket.reset();
    reader.reset();
  };
  {
    const std::lock_guard lock(mutex);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(::send(b, "x", 1, 0), 1);
    const auto added = io.add_socket(*socket, *reader);
    ASSERT_TRUE(added.ok());
    id = added.value();
  }
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return reader == nullptr;
  }));
  EXPECT_EQ(seen, 1);

  std::atomic<bool> gone{false};
  auto timer = std::make_unique<Timer>([](TimePoint) {});
  const auto timer_id = io.add_timer(*timer);
  timer->on_timer = [&](TimePoint) {
    io.remove_timer(timer_id);
    gone = true;
  };
  io.arm(timer_id, TimePoint{});
  EXPECT_TRUE(eventually([&] { return gone.load(); }));
  io.remove_timer(timer_id);
  ::close(b);
}

TEST(IoThread, RemovalWhileDatagramsPourIn) {
  const auto [a, b] = connected_pair();
  std::atomic<bool> stop{false};
  std::thread flood([&, fd = b] {
    while (!stop) (void)!::send(fd, "flood", 5, 0);
  });
  IoThread io;
  for (int i = 0; i < 200; ++i) {
    const auto reader = std::make_unique<Reader>();
    UdpSocket socket = adopt(::dup(a));
    const auto id = io.add_socket(socket, *reader);
    ASSERT_TRUE(id.ok());
    if (i % 2 == 0) eventually([&] { return reader->datagrams > 0; });
    io.remove_socket(id.value());
  }
  stop = true;
  flood.join();
  ::close(a);
  ::close(b);
}

TEST(IoThread, ServesManySocketsAndTimersWithoutLosingOne) {
  constexpr std::size_t kSockets = 250;
  constexpr int kRounds = 20;
  std::vector<int> peers;
  std::vector<UdpSocket> sockets;
  std::vector<std::unique_ptr<Reader>> readers;
  std::vector<std::unique_ptr<Timer>> timers;
  std::vector<IoThread::Id> timer_ids;
  std::vector<std::atomic<int>> fired(kSockets);
  for (std::size_t i = 0; i < kSockets; ++i) {
    const auto [a, b] = connected_pair();
    sockets.push_back(adopt(a));
    peers.push_back(b);
    readers.push_back(std::make_unique<Reader>());
  }
  IoThread io;
  for (std::size_t i = 0; i < kSockets; ++i) {
    ASSERT_TRUE(io.add_socket(sockets[i], *readers[i]).ok());
    timers.push_back(std::make_unique<Timer>([&, i](TimePoint now) {
      if (++fired[i] < kRounds) io.arm(timer_ids[i], now + milliseconds(1));
    }));
    timer_ids.push_back(io.add_timer(*timers.back()));
  }
  for (const IoThread::Id id : timer_ids) io.arm(id, IoThread::now());
  for (int round = 0; round < kRounds; ++round) {
    for (const int peer : peers) ASSERT_EQ(::send(peer, "x", 1, 0), 1);
  }
  EXPECT_TRUE(eventually([&] {
    for (std::size_t i = 0; i < kSockets; ++i) {
      if (readers[i]->datagrams != kRounds || fired[i] != kRounds) return false;
    }
    return true;
  }));
  for (const int peer : peers) ::close(peer);
}

TEST(IoThread, NtpTimeIsTheWallClockSince1900) {
  const std::uint64_t seconds = IoThread::ntp_now().value >> 32;
  const auto unix_now = std::chrono::duration_cast<std::chrono::seconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
  EXPECT_NEAR(static_cast<double>(seconds), static_cast<double>(unix_now) + 2'208'988'800.0, 2.0);
}

}  // namespace
}  // namespace sealroom::net
