#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace sealroom::jitter {

/// A first-in first-out queue in one ring that doubles when it is full and never shrinks, so a
/// queue that has seen its worst does not allocate again. The caller bounds its size.
template <class T>
class RingQueue {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] T& operator[](std::size_t index) { return ring_[(head_ + index) & mask()]; }
  [[nodiscard]] const T& operator[](std::size_t index) const {
    return ring_[(head_ + index) & mask()];
  }
  [[nodiscard]] T& front() { return (*this)[0]; }
  [[nodiscard]] const T& front() const { return (*this)[0]; }
  [[nodiscard]] const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == ring_.size()) grow();
    ring_[(head_ + size_) & mask()] = std::move(value);
    ++size_;
  }
  void push_front(T value) {
    if (size_ == ring_.size()) grow();
    head_ = (head_ - 1) & mask();
    ring_[head_] = std::move(value);
    ++size_;
  }
  void pop_front() {
    head_ = (head_ + 1) & mask();
    --size_;
  }
  /// Keeps the first `size` entries.
  void truncate(std::size_t size) { size_ = size; }
  void clear() { size_ = 0; }

 private:
  static constexpr std::size_t kFirstCapacity = 16;

  [[nodiscard]] std::size_t mask() const { return ring_.size() - 1; }
  void grow() {
    std::vector<T> larger(ring_.empty() ? kFirstCapacity : 2 * ring_.size());
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    ring_ = std::move(larger);
    head_ = 0;
  }

  std::vector<T> ring_;  // a power of two, or empty
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sealroom::jitter
