#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "buffers.h"
#include "errors.h"
#include "native_call.h"

namespace sealroom::bindings {

namespace py = pybind11;

/// One frame of a batch; `done` is what became of it.
struct BatchFrame {
  ByteView in;
  ByteView metadata;
  MutableByteView out;
  Result<std::size_t> done{Error::not_ready};
};

/// The items of a Python sequence as byte views, which stay valid and in place until it dies. Made
/// and destroyed with the GIL held.
class BufferList {
 public:
  /// Raises TypeError, naming `name`, for what is no sequence of bytes-like objects.
  BufferList(const char* name, py::handle sequence)
      : items_(py::reinterpret_steal<py::object>(PySequence_Fast(sequence.ptr(), ""))) {
    if (!items_) {
      PyErr_Clear();
      fail(name);
    }
    const auto size = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(items_.ptr()));
    views_.reserve(size);
    owners_.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
      // Taking a buffer may run foreign code, which may shrink the list.
      if (i >= static_cast<std::size_t>(PySequence_Fast_GET_SIZE(items_.ptr()))) fail(name);
      PyObject* const item = PySequence_Fast_GET_ITEM(items_.ptr(), static_cast<Py_ssize_t>(i));
      if (PyBytes_CheckExact(item)) {  // a reference is enough to keep them where they are
        owners_.push_back(py::reinterpret_borrow<py::object>(item));
        views_.emplace_back(reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(item)),
                            static_cast<std::size_t>(PyBytes_GET_SIZE(item)));
      } else {
        if (PyObject_CheckBuffer(item) == 0) fail(name);
        views_.push_back(buffers_.emplace_back(py::reinterpret_borrow<py::buffer>(item)).view());
      }
    }
  }

  [[nodiscard]] const std::vector<ByteView>& views() const { return views_; }

 private:
  [[noreturn]] static void fail(const char* name) {
    throw py::type_error(std::string(name) + ": a sequence of bytes-like objects");
  }

  py::object items_;
  std::vector<ByteView> views_;
  std::vector<py::object> owners_;
  std::deque<ReadBuffer> buffers_;
};

/// A list of frames, each into its `out` of `growth` bytes more: `run(bytes, each)` calls
/// `each(one)`, perhaps without the GIL, which calls `one(frame)` for every frame. One that is
/// refused does not stop the others: its exception, which is `refusal(frame)`, stands in its place
/// in the list, or without `return_errors` the first one is raised in the end.
template <class Refusal, class Run>
py::list batch_of_list(const char* name, py::handle frames, py::handle metadata, std::size_t growth,
                       bool return_errors, Refusal&& refusal, Run&& run) {
  const BufferList inputs(name, frames);
  std::optional<BufferList> aads;
  if (!metadata.is_none()) {
    aads.emplace("metadata", metadata);
    if (aads->views().size() != inputs.views().size()) {
      raise(Error::invalid_argument, std::string("metadata: as many as ") + name);
    }
  }
  std::vector<BatchFrame> batch(inputs.views().size());
  std::vector<py::bytes> results;
  results.reserve(batch.size());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i].in = inputs.views()[i];
    if (aads) batch[i].metadata = aads->views()[i];
    results.push_back(make_bytes(batch[i].in.size() + growth, batch[i].out));
    bytes += batch[i].in.size();
  }
  run(bytes, [&](auto&& one) {
    for (BatchFrame& frame : batch) frame.done = one(frame);
  });

  py::list list(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    PyObject* item = results[i].release().ptr();
    if (const auto& done = batch[i].done) {
      if (_PyBytes_Resize(&item, static_cast<Py_ssize_t>(done.value())) != 0) {
        throw py::error_already_set();
      }
    } else {
      Py_DECREF(item);
      py::object exception = refusal(batch[i]);
      if (!return_errors) raise(exception);
      item = exception.release().ptr();
    }
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), item);
  }
  return list;
}

/// Sizes of frames that lie back to back: a one-dimensional array of int32 or uint32. A copy, as
/// they decide what memory is touched, and whoever holds the array may write into it meanwhile.
class SizeBuffer {
 public:
  static constexpr std::size_t kMaxSize = (1u << 30) - 1;  // what comes out is an int32 too

  /// Raises TypeError for another kind of array and InvalidArgumentError, each naming `name`, if
  /// the sizes do not add up to `total`.
  SizeBuffer(const char* name, const py::buffer& object, std::size_t total) {
    const Int32Buffer<false> items(object, name, ": a one-dimensional array of int32 or uint32");
    items_.resize(items.size());
    std::size_t sum = 0;
    std::size_t largest = 0;
    for (std::size_t i = 0; i < size(); ++i) {
      const std::size_t item = items_[i] = items[i];
      sum += item;
      largest = std::max(largest, item);
    }
    if (sum != total || largest > kMaxSize) {
      raise(Error::invalid_argument, std::string(name) + ": must add up to " +
                                         std::to_string(total) + " bytes, each below 2^30, got " +
                                         std::to_string(sum));
    }
  }

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] std::size_t operator[](std::size_t index) const { return items_[index]; }

 private:
  std::vector<std::uint32_t> items_;
};

/// Frames back to back in one buffer, to frames back to back in a new one: `(data, sizes)`. The
/// size of a refused frame is -1 and its exception goes into `errors`, a dict by index; without one
/// the first is raised in the end. `growth`, `refusal` and `run` as in batch_of_list.
template <class Refusal, class Run>
py::tuple batch_of_buffer(const py::buffer& data, const py::buffer& sizes, py::handle metadata,
                          py::handle metadata_sizes, std::size_t growth, py::handle errors,
                          Refusal&& refusal, Run&& run) {
  const ReadBuffer in(data);
  const SizeBuffer in_sizes("sizes", sizes, in.view().size());
  std::optional<ReadBuffer> aad;
  std::optional<SizeBuffer> aad_sizes;
  if (metadata.is_none() != metadata_sizes.is_none()) {
    raise(Error::invalid_argument, "metadata, metadata_sizes: both or none");
  }
  if (!metadata.is_none()) {
    aad.emplace(py::cast<py::buffer>(metadata));
    aad_sizes.emplace("metadata_sizes", py::cast<py::buffer>(metadata_sizes), aad->view().size());
    if (aad_sizes->size() != in_sizes.size()) {
      raise(Error::invalid_argument, "metadata_sizes: as many as sizes");
    }
  }
  if (!errors.is_none() && !PyDict_Check(errors.ptr())) throw py::type_error("errors: a dict");

  const std::size_t count = in_sizes.size();
  py::array_t<std::uint8_t> out(static_cast<py::ssize_t>(in.view().size() + count * growth));
  py::array_t<std::int32_t> out_sizes(static_cast<py::ssize_t>(count));
  std::uint8_t* const first = out.mutable_data();
  std::int32_t* const written = out_sizes.mutable_data();
  std::vector<BatchFrame> batch(count);
  std::size_t in_at = 0;
  std::size_t aad_at = 0;
  std::size_t out_at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    batch[i].in = in.view().subspan(in_at, in_sizes[i]);
    in_at += in_sizes[i];
    batch[i].out = {first + out_at, in_sizes[i] + growth};
    out_at += in_sizes[i] + growth;
    if (!aad) continue;
    batch[i].metadata = aad->view().subspan(aad_at, (*aad_sizes)[i]);
    aad_at += (*aad_sizes)[i];
  }
  std::size_t used = 0;
  run(in.view().size(), [&](auto&& one) {
    for (std::size_t i = 0; i < count; ++i) {
      BatchFrame& frame = batch[i];
      // The frame goes right behind the one before it, in front of the place it has for sure.
      frame.out = {first + used,
                   static_cast<std::size_t>(frame.out.data() - (first + used)) + frame.out.size()};
      frame.done = one(frame);
      written[i] = frame.done ? static_cast<std::int32_t>(frame.done.value()) : -1;
      if (frame.done) used += frame.done.value();
    }
  });

  for (std::size_t i = 0; i < count; ++i) {
    if (batch[i].done) continue;
    const py::object exception = refusal(batch[i]);
    if (errors.is_none()) raise(exception);
    if (PyDict_SetItem(errors.ptr(), py::int_(i).ptr(), exception.ptr()) != 0) {
      throw py::error_already_set();
    }
  }
  const py::array_t<std::uint8_t> packed(static_cast<py::ssize_t>(used), first, out);
  return py::make_tuple(packed, out_sizes);
}

}  // namespace sealroom::bindings
