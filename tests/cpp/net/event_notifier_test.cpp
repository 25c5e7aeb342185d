#include "sealroom/net/event_notifier.h"

#include <atomic>

#include "support.h"

namespace sealroom::net {
namespace {

using test::wait_readable;

TEST(EventNotifier, IsReadableAfterASignalUntilCleared) {
  EventNotifier notifier;
  EXPECT_FALSE(wait_readable(notifier.file_descriptor(), 0));
  notifier.signal();
  notifier.signal();
  EXPECT_TRUE(wait_readable(notifier.file_descriptor(), 0));
  notifier.clear();
  EXPECT_FALSE(wait_readable(notifier.file_descriptor(), 0));
  notifier.signal();
  EXPECT_TRUE(wait_readable(notifier.file_descriptor(), 0));
}

TEST(EventNotifier, ClearWithoutASignalDoesNotBlock) {
  EventNotifier notifier;
  notifier.clear();
  notifier.clear();
}

TEST(EventNotifier, LosesNoWakeBetweenTwoThreads) {
  EventNotifier notifier;
  constexpr int kItems = 50'000;
  std::atomic<int> produced{0};
  std::thread producer([&] {
    for (int i = 0; i < kItems; ++i) {
      produced.fetch_add(1);
      notifier.signal();
    }
  });
  int consumed = 0;
  while (consumed < kItems) {
    ASSERT_TRUE(wait_readable(notifier.file_descriptor())) << consumed;
    notifier.clear();
    consumed = produced.load();
  }
  producer.join();
}

}  // namespace
}  // namespace sealroom::net
