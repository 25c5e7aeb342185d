#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sealroom/base/types.h"

namespace sealroom::srtp {

/// State per SSRC: sorted, so that no peer can choose colliding SSRCs, with the last one found at
/// hand, as packets come in runs of one stream. The owner bounds the size. Pointers are valid until
/// the next insert or erase.
template <class Value>
class StreamTable {
 public:
  [[nodiscard]] Value* find(Ssrc ssrc) {
    if (last_ < ssrcs_.size() && ssrcs_[last_] == ssrc) return &values_[last_];
    const std::size_t position = lower_bound(ssrc);
    if (position == ssrcs_.size() || ssrcs_[position] != ssrc) return nullptr;
    last_ = position;
    return &values_[position];
  }

  [[nodiscard]] const Value* find(Ssrc ssrc) const {
    const std::size_t position = lower_bound(ssrc);
    return position < ssrcs_.size() && ssrcs_[position] == ssrc ? &values_[position] : nullptr;
  }

  /// `ssrc` is not in the table yet.
  Value& insert(Ssrc ssrc, Value value) {
    const std::size_t position = lower_bound(ssrc);
    ssrcs_.insert(ssrcs_.begin() + static_cast<std::ptrdiff_t>(position), ssrc);
    values_.insert(values_.begin() + static_cast<std::ptrdiff_t>(position), std::move(value));
    last_ = position;
    return values_[position];
  }

  void erase(Ssrc ssrc) {
    const std::size_t position = lower_bound(ssrc);
    if (position == ssrcs_.size() || ssrcs_[position] != ssrc) return;
    ssrcs_.erase(ssrcs_.begin() + static_cast<std::ptrdiff_t>(position));
    values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(position));
    last_ = 0;
  }

  /// Of all streams, in no promised order.
  [[nodiscard]] std::span<Value> values() { return values_; }
  [[nodiscard]] std::size_t size() const { return ssrcs_.size(); }

 private:
  [[nodiscard]] std::size_t lower_bound(Ssrc ssrc) const {
    return static_cast<std::size_t>(std::lower_bound(ssrcs_.begin(), ssrcs_.end(), ssrc) -
                                    ssrcs_.begin());
  }

  std::vector<Ssrc> ssrcs_;
  std::vector<Value> values_;  // parallel to ssrcs_
  std::size_t last_ = 0;
};

}  // namespace sealroom::srtp
