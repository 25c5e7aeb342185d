#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "sealroom/base/types.h"

namespace sealroom {

/// A binary heap of timers that know their place in it, so that moving or disarming one is O(log n)
/// and leaves no dead entries behind. The heap does not own the timers.
class TimerHeap {
 public:
  static constexpr std::size_t kNotArmed = static_cast<std::size_t>(-1);
  struct Timer {
    TimePoint at = kNever;
    std::size_t place = kNotArmed;
  };

  /// So that `arm` does not allocate.
  void reserve(std::size_t timers) { heap_.reserve(timers); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  [[nodiscard]] Timer* earliest() const { return heap_.empty() ? nullptr : heap_.front(); }
  [[nodiscard]] TimePoint earliest_time() const {
    return heap_.empty() ? kNever : heap_.front()->at;
  }

  void arm(Timer& timer, TimePoint at) {
    if (at == kNever) {
      disarm(timer);
      return;
    }
    timer.at = at;
    if (timer.place == kNotArmed) {
      timer.place = heap_.size();
      heap_.push_back(&timer);
    }
    restore(timer.place);
  }

  void disarm(Timer& timer) {
    const std::size_t place = timer.place;
    if (place == kNotArmed) return;
    swap_places(place, heap_.size() - 1);
    heap_.pop_back();
    timer.place = kNotArmed;
    timer.at = kNever;
    if (place < heap_.size()) restore(place);
  }

 private:
  void swap_places(std::size_t a, std::size_t b) {
    std::swap(heap_[a], heap_[b]);
    heap_[a]->place = a;
    heap_[b]->place = b;
  }

  void restore(std::size_t place) {
    while (place > 0 && heap_[place]->at < heap_[(place - 1) / 2]->at) {
      swap_places(place, (place - 1) / 2);
      place = (place - 1) / 2;
    }
    while (true) {
      std::size_t least = place;
      for (const std::size_t child : {2 * place + 1, 2 * place + 2}) {
        if (child < heap_.size() && heap_[child]->at < heap_[least]->at) least = child;
      }
      if (least == place) return;
      swap_places(place, least);
      place = least;
    }
  }

  std::vector<Timer*> heap_;
};

}  // namespace sealroom
