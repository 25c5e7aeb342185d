#include <poll.h>

#include <algorithm>
#include <mutex>

#include "poller.h"
#include "sealroom/net/event_notifier.h"

namespace sealroom::net {

// The waiting thread polls a copy of the table; a change wakes it to take a new one.
struct Poller::State {
  struct Entry {
    int fd;
    std::uint64_t id;
  };

  EventNotifier notifier;
  std::mutex mutex;
  std::vector<Entry> entries;
  std::vector<std::uint64_t> polled_ids;  ///< waiting thread only, as is the next
  std::vector<pollfd> polled;
};

Poller::Poller() : state_(std::make_unique<State>()) {}
Poller::~Poller() = default;

Result<void> Poller::add(int file_descriptor, std::uint64_t id) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->entries.push_back({file_descriptor, id});
  }
  wake();
  return {};
}

void Poller::remove(int file_descriptor) {
  {
    const std::lock_guard lock(state_->mutex);
    std::erase_if(state_->entries,
                  [&](const State::Entry& entry) { return entry.fd == file_descriptor; });
  }
  wake();
}

void Poller::wake() { state_->notifier.signal(); }

void Poller::wait(Duration timeout, std::vector<std::uint64_t>& ready) {
  ready.clear();
  state_->polled.assign(1, {state_->notifier.file_descriptor(), POLLIN, 0});
  state_->polled_ids.assign(1, 0);
  {
    const std::lock_guard lock(state_->mutex);
    for (const State::Entry& entry : state_->entries) {
      state_->polled.push_back({entry.fd, POLLIN, 0});
      state_->polled_ids.push_back(entry.id);
    }
  }
  const int count = ::poll(state_->polled.data(), static_cast<nfds_t>(state_->polled.size()),
                           to_poll_timeout(timeout));
  if (count <= 0) return;
  if (state_->polled[0].revents != 0) state_->notifier.clear();
  for (std::size_t i = 1; i < state_->polled.size(); ++i) {
    if (state_->polled[i].revents != 0) ready.push_back(state_->polled_ids[i]);
  }
}

}  // namespace sealroom::net
