#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sealroom/base/result.h"

namespace sealroom::srtp {

/// Which of the last `size` packet indices were accepted (RFC 3711 section 3.3.2). `check` before
/// authentication, `commit` after it, so that a forged packet moves nothing. Allocates in the
/// constructor only. What every packet in order takes is inline.
class ReplayWindow {
 public:
  /// `size` in packets, at least 1, rounded up to a multiple of 64.
  explicit ReplayWindow(std::size_t size);

  /// Errors: replayed, too_old.
  [[nodiscard]] Result<void> check(std::uint64_t index) const {
    if (!started_ || index > newest_) return {};
    return check_older(index);
  }
  /// Takes an index that `check` allowed.
  void commit(std::uint64_t index) {
    if (!started_ || index != newest_ + 1) return commit_out_of_order(index);
    newest_ = index;
    head_ = head_ + 1 == size() ? 0 : head_ + 1;
    words_[head_ / 64] |= bit_of(head_);
  }

  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] std::uint64_t newest() const { return newest_; }

 private:
  [[nodiscard]] static constexpr std::uint64_t bit_of(std::size_t position) {
    return std::uint64_t{1} << (position % 64);
  }

  [[nodiscard]] std::size_t size() const { return words_.size() * 64; }
  [[nodiscard]] Result<void> check_older(std::uint64_t index) const;
  void commit_out_of_order(std::uint64_t index);
  [[nodiscard]] std::size_t position_of(std::uint64_t index) const;
  void advance(std::uint64_t step);

  std::vector<std::uint64_t> words_;  // a ring of bits; the newest index sits at head_
  std::size_t head_ = 0;
  std::uint64_t newest_ = 0;
  bool started_ = false;
};

}  // namespace sealroom::srtp
