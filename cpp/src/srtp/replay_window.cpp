#include "srtp/replay_window.h"

#include <algorithm>

namespace sealroom::srtp {

ReplayWindow::ReplayWindow(std::size_t size) : words_((size + 63) / 64) {}

Result<void> ReplayWindow::check_older(std::uint64_t index) const {
  if (newest_ - index >= size()) return Error::too_old;
  const std::size_t position = position_of(index);
  if ((words_[position / 64] & bit_of(position)) != 0) return Error::replayed;
  return {};
}

void ReplayWindow::commit_out_of_order(std::uint64_t index) {
  if (!started_) {
    started_ = true;
    newest_ = index;
  } else if (index > newest_) {
    advance(index - newest_);
    newest_ = index;
  }
  const std::size_t position = position_of(index);
  words_[position / 64] |= bit_of(position);
}

// Distances are taken from head_ and not by division, as the window need not be a power of two.
std::size_t ReplayWindow::position_of(std::uint64_t index) const {
  const auto back = static_cast<std::size_t>(newest_ - index);
  return back <= head_ ? head_ - back : head_ + size() - back;
}

void ReplayWindow::advance(std::uint64_t step) {
  if (step >= size()) {
    std::fill(words_.begin(), words_.end(), 0);
    head_ = 0;
    return;
  }
  for (auto left = static_cast<std::size_t>(step); left > 0;) {
    head_ = head_ + 1 == size() ? 0 : head_ + 1;
    if (head_ % 64 == 0 && left >= 64) {
      words_[head_ / 64] = 0;
      head_ += 63;
      left -= 64;
    } else {
      words_[head_ / 64] &= ~bit_of(head_);
      --left;
    }
  }
}

}  // namespace sealroom::srtp
