// The half of a receiver behind its jitter buffer: decryption, frames that wait for their key, the
// application's queue.

#include <algorithm>
#include <utility>

#include "frame_format.h"
#include "sealroom/session/rtp_receiver.h"

namespace sealroom::session {
namespace {

RejectReason reject_reason(Error error) {
  switch (error) {
    case Error::unknown_key_id:
      return RejectReason::unknown_key_id;
    case Error::replayed:
    case Error::too_old:
      return RejectReason::replayed;
    case Error::malformed:
    case Error::truncated:
      return RejectReason::not_encrypted;
    default:
      return RejectReason::authentication_failed;
  }
}

}  // namespace

/// Opens the frame into the buffer of an earlier one, which it then goes out in: no copy, unless
/// that is far too large for it, since the queues are bounded by what frames count.
Result<void> RtpReceiver::unprotect(FrameReceived& frame) {
  if (plaintext_.size() < frame.data.size()) plaintext_.resize(frame.data.size());
  const auto size =
      sframe::unprotect_frame(sframe_, frame_format(config_.codec), frame.data, plaintext_);
  if (!size) return size.error();
  plaintext_.resize(size.value());
  if (is_oversized(plaintext_)) {
    frame.data.assign(plaintext_.begin(), plaintext_.end());
  } else {
    std::swap(plaintext_, frame.data);
  }
  return {};
}

void RtpReceiver::deliver(FrameReceived frame, TimePoint now) {
  frame.receiver = id_;
  if (frame.is_missing) {
    counters_.frames_missing += 1;
    if (pending_.empty()) {
      enqueue(std::move(frame));
    } else {
      hold(last_held_, std::move(frame), now);  // the gap keeps its place in the order
    }
    return;
  }
  if (config_.protection) {
    const auto opened = unprotect(frame);
    if (!opened) {
      const KeyId key_id = sframe_.unknown_key_id();
      if (opened.error() == Error::unknown_key_id && may_wait_for_its_key(key_id)) {
        hold(key_id, std::move(frame), now);
      } else {
        refuse(std::move(frame), reject_reason(opened.error()));
      }
      return;
    }
    refuse_held();  // after this frame they would come out of order
  }
  counters_.frames_received += 1;
  enqueue(std::move(frame));
}

/// Key ids rise with each new key. One below the newest was removed or never was, and the first key
/// may still be to come.
bool RtpReceiver::may_wait_for_its_key(KeyId key_id) const {
  return !suite_ || key_id > pending_.newest_key_id();
}

void RtpReceiver::hold(KeyId key_id, FrameReceived frame, TimePoint now) {
  last_held_ = key_id;
  const std::size_t size = frame.data.size();
  (void)pending_.hold(
      key_id, size, now, HeldFrame{std::move(frame)},
      [&](KeyId of, HeldFrame&& dropped) { drop_held(of, std::move(dropped.frame)); });
}

/// What the queue had no room or time for.
void RtpReceiver::drop_held(KeyId key_id, FrameReceived frame) {
  if (HeldFrame* const next = pending_.front(key_id)) next->follows_a_gap = true;
  refuse(std::move(frame), RejectReason::unknown_key_id);
}

void RtpReceiver::refuse(FrameReceived frame, RejectReason reason) {
  // The decoder misses what this frame stood for, unless it was merely sent twice.
  if (!frame.is_missing && reason != RejectReason::replayed) request_key_frame();
  reject_frame(std::move(frame), reason);
}

void RtpReceiver::reject_frame(FrameReceived frame, RejectReason reason) {
  if (!frame.is_missing) reject(reason);
  if (!frame.is_missing && drop_broken_frames_) return;
  if (!frame.is_missing) frame.rejected = reason;
  enqueue(std::move(frame));
}

/// In order of arrival up to the last frame under `key_id`; what still lacks its key by then is
/// late. What follows a frame that the queue had no room for is dropped as well, up to a key frame.
void RtpReceiver::release_held(KeyId key_id) {
  KeyId held_under;
  HeldFrame held;
  bool in_gap = false;
  bool overflowed = false;
  while (pending_.count(key_id) > 0 && pending_.take_oldest(held_under, held)) {
    FrameReceived& frame = held.frame;
    if (held_under != key_id) {
      refuse(std::move(frame), RejectReason::unknown_key_id);
      continue;
    }
    in_gap = is_video() && !frame.is_key_frame && (in_gap || held.follows_a_gap);
    overflowed = overflowed && !frame.is_key_frame;
    if (in_gap) {  // it cannot be decoded, and the key frame is asked for already
      reject_frame(std::move(frame), RejectReason::unknown_key_id);
    } else if (frame.is_missing) {
      enqueue(std::move(frame));
    } else if (const auto opened = unprotect(frame)) {
      counters_.frames_received += 1;
      if (overflowed) {
        reject(RejectReason::queue_overflow);
      } else {
        overflowed = !enqueue(std::move(frame));
      }
    } else {
      in_gap = true;
      refuse(std::move(frame), reject_reason(opened.error()));
    }
  }
}

void RtpReceiver::refuse_held() {
  KeyId held_under;
  HeldFrame held;
  while (pending_.take_oldest(held_under, held)) {
    refuse(std::move(held.frame), RejectReason::unknown_key_id);
  }
}

/// False if there was no room: the frame is dropped then, and so must be what follows it up to a
/// key frame.
bool RtpReceiver::enqueue(FrameReceived frame) {
  const std::size_t size = frame.data.size();
  if (queue_.size() >= limits_.max_queued_frames ||
      queued_bytes_ + size > limits_.max_queued_bytes) {
    if (is_video()) {
      // What follows cannot be decoded without what is dropped, so all of it goes, and a key frame
      // comes.
      drop_queued(queue_.size());
      if (!frame.is_key_frame) {
        reject(RejectReason::queue_overflow);
        std::get<jitter::VideoJitterBuffer>(jitter_).require_key_frame();
        return false;
      }
    } else {
      drop_queued(1);
    }
  }
  queued_bytes_ += size;
  queue_.push_back(std::move(frame));
  return true;
}

void RtpReceiver::drop_queued(std::size_t count) {
  for (; count > 0 && !queue_.empty(); --count) {
    const FrameReceived dropped = std::move(queue_.front());  // the ring would keep its memory
    queued_bytes_ -= dropped.data.size();
    queue_.pop_front();
    reject(RejectReason::queue_overflow);
  }
}

void RtpReceiver::reject(RejectReason reason) {
  const auto index = static_cast<std::size_t>(reason);
  counters_.rejected[index] += 1;
  rejections_[index].unreported += 1;
}

bool RtpReceiver::has_event(TimePoint now) const {
  if (!queue_.empty()) return true;
  return std::any_of(rejections_.begin(), rejections_.end(), [&](const Rejections& rejections) {
    return rejections.unreported > 0 && now >= rejections.last_event + kRejectionEventInterval;
  });
}

bool RtpReceiver::poll_event(Event& event, TimePoint now) {
  for (std::size_t i = 0; i < kRejectReasons; ++i) {
    Rejections& rejections = rejections_[i];
    if (rejections.unreported == 0 || now < rejections.last_event + kRejectionEventInterval)
      continue;
    event = FrameRejected{id_, static_cast<RejectReason>(i), rejections.unreported};
    rejections.unreported = 0;
    rejections.is_due = false;
    rejections.last_event = now;
    return true;
  }
  if (queue_.empty()) return false;
  queued_bytes_ -= queue_.front().data.size();
  event = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

}  // namespace sealroom::session
