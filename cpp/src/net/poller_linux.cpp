#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "poller.h"
#include "sealroom/net/event_notifier.h"

namespace sealroom::net {
namespace {

constexpr std::uint64_t kWakeId = 0;

}  // namespace

struct Poller::State {
  ~State() { ::close(epoll); }

  EventNotifier notifier;
  int epoll = -1;
  std::array<epoll_event, 64> events{};
};

Poller::Poller() : state_(std::make_unique<State>()) {
  state_->epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (state_->epoll < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  if (!add(state_->notifier.file_descriptor(), kWakeId)) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

Poller::~Poller() = default;

Result<void> Poller::add(int file_descriptor, std::uint64_t id) {
  epoll_event event{};
  event.events = EPOLLIN;  // level-triggered: what one pass leaves is reported again
  event.data.u64 = id;
  if (::epoll_ctl(state_->epoll, EPOLL_CTL_ADD, file_descriptor, &event) != 0) {
    return Error::system_error;
  }
  return {};
}

void Poller::remove(int file_descriptor) {
  (void)::epoll_ctl(state_->epoll, EPOLL_CTL_DEL, file_descriptor, nullptr);
}

void Poller::wake() { state_->notifier.signal(); }

void Poller::wait(Duration timeout, std::vector<std::uint64_t>& ready) {
  ready.clear();
  const int count = ::epoll_wait(state_->epoll, state_->events.data(),
                                 static_cast<int>(state_->events.size()), to_poll_timeout(timeout));
  for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
    const std::uint64_t id = state_->events[i].data.u64;
    if (id == kWakeId) {
      state_->notifier.clear();
    } else {
      ready.push_back(id);
    }
  }
}

}  // namespace sealroom::net
