#include "clock_drift.h"

#include <algorithm>
#include <cmath>

namespace sealroom::jitter {
namespace {

using std::chrono::seconds;

constexpr Duration kWindow = seconds(10);
constexpr std::size_t kMaxWindows = 64;
constexpr std::size_t kMinWindows = 6;         // one minute
constexpr std::size_t kMinWindowPackets = 10;  // fewer hold no fast one
constexpr double kFarOffUs = 10'000;
constexpr double kFarOffDeviations = 6;

}  // namespace

void ClockDrift::packet_received(Duration transit, TimePoint now) {
  if (window_packets_ > 0 && (now - window_start_ >= kWindow || now < window_start_)) {
    close_window();
  }
  if (window_packets_ == 0) {
    window_start_ = now;
    fastest_ = {now, transit};
  }
  ++window_packets_;
  if (transit < fastest_.transit) fastest_ = {now, transit};
}

void ClockDrift::restart() {
  windows_.clear();
  outlier_.reset();
  window_packets_ = 0;
}

void ClockDrift::close_window() {
  const std::size_t packets = window_packets_;
  window_packets_ = 0;
  if (packets < kMinWindowPackets) return;
  if (!windows_.empty() && fastest_.at <= windows_.back().at) {  // time went back
    restart();
    return;
  }
  if (is_far_off(fastest_)) {
    if (!outlier_) {
      outlier_ = fastest_;
      return;
    }
    windows_.clear();
    windows_.push_back(*outlier_);
  }
  outlier_.reset();
  if (windows_.size() == kMaxWindows) windows_.pop_front();
  windows_.push_back(fastest_);
  fit();
}

bool ClockDrift::is_far_off(const Window& window) const {
  if (windows_.size() < kMinWindows) return false;
  const double expected = intercept_ + slope_ * static_cast<double>((window.at - origin_).count());
  const double off = std::abs(static_cast<double>(window.transit.count()) - expected);
  return off > std::max(kFarOffUs, kFarOffDeviations * deviation_);
}

// At most 64 windows once in ten seconds.
void ClockDrift::fit() {
  if (windows_.size() < kMinWindows) return;
  origin_ = windows_.front().at;
  const Duration base = windows_.front().transit;
  const auto count = static_cast<double>(windows_.size());
  double mean_x = 0;
  double mean_y = 0;
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    mean_x += static_cast<double>((windows_[i].at - origin_).count()) / count;
    mean_y += static_cast<double>((windows_[i].transit - base).count()) / count;
  }
  double xx = 0;
  double xy = 0;
  double yy = 0;
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    const double x = static_cast<double>((windows_[i].at - origin_).count()) - mean_x;
    const double y = static_cast<double>((windows_[i].transit - base).count()) - mean_y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  slope_ = xy / xx;
  intercept_ = static_cast<double>(base.count()) + mean_y - slope_ * mean_x;
  deviation_ = std::sqrt(std::max(0.0, yy - slope_ * xy) / count);
  ppm_ = -slope_ * 1e6;
}

}  // namespace sealroom::jitter
