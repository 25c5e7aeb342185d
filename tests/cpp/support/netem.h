#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <utility>

#include "sealroom/base/types.h"

namespace sealroom::test {

/// Seeded random numbers that are the same with every standard library (its distributions are not).
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t next() { return engine_(); }
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }  ///< [0, 1)
  bool chance(double probability) { return probability > 0 && uniform() < probability; }
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  std::uint64_t between(std::uint64_t first, std::uint64_t last) {
    return first + below(last - first + 1);
  }

 private:
  std::mt19937_64 engine_;
};

/// Probabilities are per packet, 0..1.
struct LinkConfig {
  double loss = 0;               ///< each packet for itself
  double burst = 0;              ///< that a burst of losses begins (Gilbert's model)
  double mean_burst_length = 1;  ///< packets, geometrically distributed
  Duration delay{};
  Duration jitter{};  ///< uniformly distributed on top of the delay, each packet for itself
  bool jitter_keeps_order =
      true;            ///< a queue that fills and drains; false: packets overtake each other
  double reorder = 0;  ///< that a packet is held back by `reorder_delay`
  Duration reorder_delay = std::chrono::milliseconds(10);
  double duplicate = 0;  ///< that a packet is delivered twice, the copies independently delayed
};

struct LinkStatistics {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t delivered = 0;
};

/// One direction of a network in simulated time. Deterministic for a seed and an order of calls.
template <class Payload>
class Link {
 public:
  explicit Link(LinkConfig config = {}, std::uint64_t seed = 1) : config_(config), random_(seed) {}

  /// From now on; what is underway keeps its time.
  void configure(LinkConfig config) { config_ = config; }
  /// Loses exactly the next `count` packets, whatever the configuration.
  void drop_next(std::uint64_t count) { drop_next_ = count; }

  void send(Payload payload, TimePoint now) {
    ++statistics_.sent;
    if (is_lost()) {
      ++statistics_.lost;
      return;
    }
    if (random_.chance(config_.duplicate)) {
      ++statistics_.duplicated;
      schedule(payload, now);
    }
    schedule(std::move(payload), now);
  }

  /// kNever if nothing is underway.
  [[nodiscard]] TimePoint next_arrival() const {
    return underway_.empty() ? kNever : underway_.begin()->first.first;
  }

  /// Takes what has arrived by `now`, earliest first; false if there is nothing.
  bool receive(TimePoint now, Payload& payload) {
    if (next_arrival() > now) return false;
    payload = std::move(underway_.begin()->second);
    underway_.erase(underway_.begin());
    ++statistics_.delivered;
    return true;
  }

  [[nodiscard]] const LinkStatistics& statistics() const { return statistics_; }

 private:
  bool is_lost() {
    if (drop_next_ > 0) {
      --drop_next_;
      return true;
    }
    if (in_burst_) {
      in_burst_ = !random_.chance(1 / std::max(config_.mean_burst_length, 1.0));
    } else {
      in_burst_ = random_.chance(config_.burst);
    }
    return in_burst_ || random_.chance(config_.loss);
  }

  void schedule(Payload payload, TimePoint now) {
    TimePoint arrival = now + config_.delay;
    if (config_.jitter > Duration::zero()) {
      arrival += Duration(static_cast<Duration::rep>(
          random_.below(static_cast<std::uint64_t>(config_.jitter.count()) + 1)));
      if (config_.jitter_keeps_order) arrival = std::max(arrival, last_arrival_);
    }
    last_arrival_ = std::max(last_arrival_, arrival);
    if (random_.chance(config_.reorder)) arrival += config_.reorder_delay;
    underway_.emplace(std::pair(arrival, number_++), std::move(payload));
  }

  LinkConfig config_;
  Random random_;
  std::map<std::pair<TimePoint, std::uint64_t>, Payload> underway_;
  std::uint64_t number_ = 0;  ///< keeps the order of sending among equal arrivals
  std::uint64_t drop_next_ = 0;
  bool in_burst_ = false;
  TimePoint last_arrival_ = TimePoint::min();
  LinkStatistics statistics_;
};

}  // namespace sealroom::test
