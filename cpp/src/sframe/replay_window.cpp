#include "replay_window.h"

namespace sealroom::sframe {

Result<void> ReplayWindow::check(std::uint64_t counter) const {
  if (!started_ || counter > newest_) return {};
  if (newest_ - counter >= kReplayWindow) return Error::too_old;
  if ((accepted_[word(counter)] & bit(counter)) != 0) return Error::replayed;
  return {};
}

void ReplayWindow::accept(std::uint64_t counter) {
  if (!started_ || counter > newest_) {
    const std::uint64_t step = started_ ? counter - newest_ : kReplayWindow;
    if (step >= kReplayWindow) {
      accepted_.fill(0);
    } else {
      forget(newest_ + 1, step);
    }
    newest_ = counter;
    started_ = true;
  }
  accepted_[word(counter)] |= bit(counter);
}

/// Clears the bits that counters a whole window older left behind, word by word where it can.
void ReplayWindow::forget(std::uint64_t first, std::uint64_t count) {
  while (count > 0) {
    if (first % kWordBits == 0 && count >= kWordBits) {
      accepted_[word(first)] = 0;
      first += kWordBits;
      count -= kWordBits;
    } else {
      accepted_[word(first)] &= ~bit(first);
      ++first;
      --count;
    }
  }
}

}  // namespace sealroom::sframe
