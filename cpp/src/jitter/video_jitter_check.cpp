// What must hold between two calls of the video jitter buffer, whatever packets came.

#include <cstdlib>

#include "video_jitter_state.h"

namespace sealroom::jitter {

void VideoJitterBuffer::State::check() const {
#if !defined(NDEBUG) || defined(SEALROOM_CHECK_INVARIANTS)
  if (!is_consistent()) std::abort();
#endif
}

bool VideoJitterBuffer::State::is_consistent() const {
  if (incoming_sequence_ != kNone) return false;
  std::int64_t last = begin();
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    const FrameCursor& frame = ready_[i].cursor;
    if (frame.begin < last || !holds(frame.begin, frame.next)) return false;
    last = frame.next;
  }
  if (last > floor_) return false;
  std::int64_t end = floor_;
  if (in_chain_) {
    if (main_.begin != floor_ || !holds(main_.begin, main_.next)) return false;
    end = main_.next;
  }
  // Each begins before the next one does and behind what the chain has taken; what drop_until()
  // releases up to the first one's begin is then no other's.
  for (std::size_t i = 0; i < candidate_count_; ++i) {
    const Candidate& candidate = candidates_[i];
    const FrameCursor& frame = candidate.frame;
    if (frame.begin < end || candidate.lowest > frame.begin) return false;
    if (frame.next < frame.begin || !holds(frame.begin, frame.next)) return false;
    if (candidate.is_whole && !frame.is_key_frame && !frame.signs.can_begin) return false;
    end = frame.begin + 1;
  }
  return true;
}

bool VideoJitterBuffer::State::holds(std::int64_t first, std::int64_t end) const {
  while (first < end && store_.find(first) != nullptr) ++first;
  return first >= end;
}

}  // namespace sealroom::jitter
