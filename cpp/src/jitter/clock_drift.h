#pragma once

#include <cstddef>
#include <optional>

#include "sealroom/base/types.h"
#include "sealroom/jitter/ring_queue.h"

namespace sealroom::jitter {

/// How fast the sender's clock runs against the receiver's. Queues only ever delay a packet, so the
/// fastest one of each ten seconds shows the path without its jitter; the slope of a line through
/// these (least squares, the last 64 windows) is the drift. A window far off the line waits
/// for a second one: two are a new path and start the line anew, one is forgotten. The last
/// estimate stays until there is a better one. Amortised O(1) per packet, one thread.
class ClockDrift {
 public:
  /// `transit` is arrival minus send time by the timestamps, whatever their origin.
  void packet_received(Duration transit, TimePoint now);
  /// What is collected belongs to another time line.
  void restart();
  /// Parts per million, positive if the sender's clock is the faster one; nothing in the first
  /// minute.
  [[nodiscard]] std::optional<double> ppm() const { return ppm_; }

 private:
  struct Window {
    TimePoint at{};
    Duration transit{};
  };

  void close_window();
  [[nodiscard]] bool is_far_off(const Window& window) const;
  void fit();

  RingQueue<Window> windows_;
  Window fastest_;
  TimePoint window_start_{};
  std::size_t window_packets_ = 0;
  std::optional<Window> outlier_;
  std::optional<double> ppm_;
  TimePoint origin_{};  ///< of the line: transit = intercept_ + slope_ * (time - origin_), in us
  double intercept_ = 0;
  double slope_ = 0;
  double deviation_ = 0;  ///< root mean square of the residuals, in us
};

}  // namespace sealroom::jitter
