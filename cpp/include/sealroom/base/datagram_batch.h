#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sealroom/base/bytes.h"

namespace sealroom {

/// What goes first where not everything may leave at once: audio and RTCP are small and late at
/// once.
enum class Urgency : std::uint8_t { prompt, bulk };

/// Outgoing datagrams for one destination, laid end to end and grouped into runs of equal size and
/// urgency (the last of a run may be shorter), which is what one UDP_SEGMENT call sends. Keeps its
/// memory, so no allocation after warm-up; but more than kKept, and four times what any of the last
/// kRounds fillings needed, is given back.
class DatagramBatch {
 public:
  static constexpr std::size_t kKept = std::size_t{256} << 10;  ///< bytes
  /// Some seconds of audio and video: large key frames come more often than that.
  static constexpr int kRounds = 256;

  struct Run {
    ByteView data;
    std::size_t segment_size = 0;
    Urgency urgency = Urgency::prompt;
  };

  /// Room for one datagram of at most `max_size` bytes; earlier views become invalid.
  MutableByteView prepare(std::size_t max_size) {
    if (rounds_ >= kRounds && used_ == 0) give_back();  // not before, as views live until now
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

  /// Bytes of datagrams for which there is memory.
  [[nodiscard]] std::size_t capacity() const { return storage_.capacity(); }
  [[nodiscard]] bool empty() const { return next_run_ == runs_.size(); }

  void clear() {
    if (used_ > 0) ++rounds_;
    peak_ = std::max(peak_, used_);
    runs_.clear();
    next_run_ = 0;
    used_ = 0;
  }

 private:
  static constexpr std::size_t kSlack = 16 * 1500;

  // Growing again, a vector takes at most twice what is needed, so a steady load gives nothing
  // back.
  void give_back() {
    if (storage_.capacity() > kKept && storage_.capacity() / 4 > peak_) {
      std::vector<std::uint8_t>().swap(storage_);
      std::vector<Span>().swap(runs_);
    }
    rounds_ = 0;
    peak_ = 0;
  }

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
  int rounds_ = 0;        ///< fillings since give_back
  std::size_t peak_ = 0;  ///< of these, in bytes
};

}  // namespace sealroom
