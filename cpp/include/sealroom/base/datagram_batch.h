#pragma once

#include <cstddef>
#include <vector>

#include "sealroom/base/bytes.h"

namespace sealroom {

/// What goes first where not everything may leave at once: audio and RTCP are small and late at
/// once.
enum class Urgency : std::uint8_t { prompt, bulk };

/// Outgoing datagrams for one destination, laid end to end and grouped into runs of equal size and
/// urgency (the last of a run may be shorter), which is what one UDP_SEGMENT call sends. Keeps its
/// memory: no allocation after warm-up.
class DatagramBatch {
 public:
  struct Run {
    ByteView data;
    std::size_t segment_size = 0;
    Urgency urgency = Urgency::prompt;
  };

  /// Room for one datagram of at most `max_size` bytes; earlier views become invalid.
  MutableByteView prepare(std::size_t max_size) {
    if (storage_.size() - used_ < max_size) storage_.resize(used_ + max_size + kSlack);
    return {storage_.data() + used_, max_size};
  }

  /// Takes the first `size` bytes of what prepare() gave.
  void commit(std::size_t size, Urgency urgency = Urgency::prompt) {
    if (size == 0) return;
    if (!runs_.empty() && runs_.back().open && runs_.back().urgency == urgency &&
        size <= runs_.back().segment_size) {
      runs_.back().size += size;
      runs_.back().open = size == runs_.back().segment_size;
    } else {
      runs_.push_back({used_, size, size, urgency, true});
    }
    used_ += size;
  }

  /// Hands out the next run, false after the last, which also empties the batch. Views live until
  /// the next prepare().
  bool next(Run& run) {
    if (next_run_ == runs_.size()) {
      clear();
      return false;
    }
    const Span& span = runs_[next_run_++];
    run = {{storage_.data() + span.offset, span.size}, span.segment_size, span.urgency};
    return true;
  }

  [[nodiscard]] bool empty() const { return next_run_ == runs_.size(); }

  void clear() {
    runs_.clear();
    next_run_ = 0;
    used_ = 0;
  }

 private:
  static constexpr std::size_t kSlack = 16 * 1500;
  struct Span {
    std::size_t offset;
    std::size_t size;
    std::size_t segment_size;
    Urgency urgency;
    bool open;
  };
  std::vector<std::uint8_t> storage_;
  std::vector<Span> runs_;
  std::size_t used_ = 0;
  std::size_t next_run_ = 0;
};

}  // namespace sealroom
