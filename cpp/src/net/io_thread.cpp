#include "sealroom/net/io_thread.h"

#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "poller.h"
#include "sealroom/base/timer_heap.h"
#include "sealroom/net/process.h"

namespace sealroom::net {
namespace {

constexpr std::uint64_t kSecondsFrom1900To1970 = 2'208'988'800;
constexpr std::uint64_t kNanoseconds = 1'000'000'000;  // in a second

timespec read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time;
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * static_cast<std::int64_t>(kNanoseconds) +
         time.tv_nsec;
}

// A process's signals are meant for its main thread (Python's handlers run only there).
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

struct IoThread::State {
  struct Watched {
    UdpSocket* socket;
    DatagramHandler* handler;
  };
  struct Timer : TimerHeap::Timer {
    Id id = 0;
    TimerHandler* handler = nullptr;
  };

  void run();
  void fire_timers(std::unique_lock<std::mutex>& lock);
  void read_socket(Id id, std::unique_lock<std::mutex>& lock);
  void begin_handler(Id id, std::unique_lock<std::mutex>& lock);
  void end_handler(std::unique_lock<std::mutex>& lock);
  void wait_for_handler(Id id, std::unique_lock<std::mutex>& lock);

  Poller poller;
  ReceiveBatch batch;                // I/O thread only, as is the next
  std::vector<std::uint64_t> ready;  // ids of readable sockets

  std::mutex mutex;  // guards what follows; never held while a handler runs
  std::condition_variable handler_ended;
  std::unordered_map<Id, Watched> sockets;
  std::unordered_map<Id, Timer> timers;  // nodes do not move: the heap points to them
  TimerHeap heap;
  Id next_id = 1;
  Id running = 0;  ///< whose handler is running
  /// Until when the I/O thread sleeps; TimePoint::min() while it is awake and will look at the heap
  /// by itself.
  TimePoint sleeping_until = TimePoint::min();
  bool stopping = false;

  std::thread thread;

  // In a child of fork the thread is not there, the mutex may be held for good, and the epoll
  // instance is the parent's.
  const std::uint32_t fork_count = net::fork_count();
  [[nodiscard]] bool is_copy_in_child() const { return fork_count != net::fork_count(); }
};

void IoThread::State::begin_handler(Id id, std::unique_lock<std::mutex>& lock) {
  running = id;
  lock.unlock();
}

void IoThread::State::end_handler(std::unique_lock<std::mutex>& lock) {
  lock.lock();
  running = 0;
  handler_ended.notify_all();
}

void IoThread::State::wait_for_handler(Id id, std::unique_lock<std::mutex>& lock) {
  if (running != id || std::this_thread::get_id() == thread.get_id()) return;
  handler_ended.wait(lock, [&] { return running != id; });
}

void IoThread::State::fire_timers(std::unique_lock<std::mutex>& lock) {
  const TimePoint now = IoThread::now();
  // A handler that arms itself in the past must not starve the sockets: one round per pass.
  for (std::size_t left = heap.size(); left > 0 && heap.earliest_time() <= now; --left) {
    Timer& timer = *static_cast<Timer*>(heap.earliest());
    heap.disarm(timer);
    TimerHandler& handler = *timer.handler;
    begin_handler(timer.id, lock);
    handler.handle_timer(now);
    end_handler(lock);
  }
}

void IoThread::State::read_socket(Id id, std::unique_lock<std::mutex>& lock) {
  const auto found = sockets.find(id);
  if (found == sockets.end()) return;
  const Watched watched = found->second;
  begin_handler(id, lock);
  // One batch per pass keeps the sockets' shares even; what is left is reported again.
  batch.receive(*watched.socket);
  if (!batch.datagrams().empty()) {
    watched.handler->handle_datagrams(batch.datagrams(), IoThread::now());
  }
  end_handler(lock);
}

void IoThread::State::run() {
  std::unique_lock lock(mutex);
  while (!stopping) {
    fire_timers(lock);
    if (stopping) break;
    sleeping_until = heap.earliest_time();
    const Duration timeout = sleeping_until == kNever
                                 ? Duration(-1)
                                 : std::max(sleeping_until - IoThread::now(), Duration::zero());
    lock.unlock();
    poller.wait(timeout, ready);
    lock.lock();
    sleeping_until = TimePoint::min();
    for (const Id id : ready) {
      if (stopping) break;
      read_socket(id, lock);
    }
  }
}

IoThread::IoThread() : state_(std::make_unique<State>()) {
  const SignalsBlocked blocked;
  // Held until `thread` is assigned, so that the loop sees its own id.
  const std::lock_guard lock(state_->mutex);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
#if defined(__linux__)
  ::pthread_setname_np(state_->thread.native_handle(), "sealroom-io");
#endif
}

IoThread::~IoThread() {
  if (state_->is_copy_in_child()) {
    (void)state_.release();
    return;
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->poller.wake();
  state_->thread.join();
}

bool IoThread::is_of_this_process() const { return !state_->is_copy_in_child(); }

TimePoint IoThread::now() {
  const timespec time = read_clock(CLOCK_MONOTONIC);
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::seconds(time.tv_sec) +
                                                        std::chrono::nanoseconds(time.tv_nsec)));
}

NtpTime IoThread::ntp_now() {
  static const std::int64_t offset =
      nanoseconds(read_clock(CLOCK_REALTIME)) - nanoseconds(read_clock(CLOCK_MONOTONIC));
  const auto time = static_cast<std::uint64_t>(nanoseconds(read_clock(CLOCK_MONOTONIC)) + offset);
  const std::uint64_t seconds = time / kNanoseconds + kSecondsFrom1900To1970;
  const std::uint64_t fraction = ((time % kNanoseconds) << 32) / kNanoseconds;
  return NtpTime{(seconds << 32) | fraction};
}

Result<IoThread::Id> IoThread::add_socket(UdpSocket& socket, DatagramHandler& handler) {
  if (state_->is_copy_in_child()) return Error::system_error;
  const std::lock_guard lock(state_->mutex);
  const Id id = state_->next_id++;
  state_->sockets.emplace(id, State::Watched{&socket, &handler});
  if (const Result<void> added = state_->poller.add(socket.file_descriptor(), id); !added) {
    state_->sockets.erase(id);
    return added.error();
  }
  return id;
}

void IoThread::remove_socket(Id id) {
  if (state_->is_copy_in_child()) return;
  std::unique_lock lock(state_->mutex);
  const auto found = state_->sockets.find(id);
  if (found != state_->sockets.end()) {
    state_->poller.remove(found->second.socket->file_descriptor());
    state_->sockets.erase(found);
  }
  state_->wait_for_handler(id, lock);
}

IoThread::Id IoThread::add_timer(TimerHandler& handler) {
  const std::lock_guard lock(state_->mutex);
  const Id id = state_->next_id++;
  State::Timer& timer = state_->timers[id];
  timer.id = id;
  timer.handler = &handler;
  state_->heap.reserve(state_->timers.size());
  return id;
}

void IoThread::remove_timer(Id id) {
  if (state_->is_copy_in_child()) return;
  std::unique_lock lock(state_->mutex);
  const auto found = state_->timers.find(id);
  if (found != state_->timers.end()) {
    state_->heap.disarm(found->second);
    state_->timers.erase(found);
  }
  state_->wait_for_handler(id, lock);
}

void IoThread::arm(Id timer, TimePoint at) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->timers.find(timer);
  if (found == state_->timers.end()) return;
  state_->heap.arm(found->second, at);
  if (at >= state_->sleeping_until) return;
  state_->sleeping_until = at;
  state_->poller.wake();
}

}  // namespace sealroom::net
