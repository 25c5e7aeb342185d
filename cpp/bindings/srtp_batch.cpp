#include "srtp_batch.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "buffers.h"
#include "errors.h"
#include "frame_batch.h"
#include "native_call.h"
#include "sealroom/srtp/packet_header.h"
#include "srtp_arguments.h"

namespace sealroom::bindings {

namespace {

/// As the core takes them: more than one batch of its own at a time gains nothing.
constexpr std::size_t kTasks = 64;

/// A writable one-dimensional array of int32, of exactly `size` items.
class SizeOutput {
 public:
  SizeOutput(const py::buffer& object, std::size_t size) : items_(object, kName, kExpected) {
    if (!items_.is_signed()) throw py::type_error(std::string(kName) + kExpected);
    if (items_.size() != size) raise(Error::invalid_argument, "out_sizes: as many as sizes");
  }

  [[nodiscard]] Int32Writer writer() const { return items_.writer(); }
  [[nodiscard]] ByteView memory() const { return items_.memory(); }

 private:
  static constexpr const char* kName = "out_sizes";
  static constexpr const char* kExpected = ": a writable one-dimensional array of int32";

  Int32Buffer<true> items_;
};

bool shares_memory(ByteView one, ByteView other) {
  if (one.empty() || other.empty()) return false;
  return one.data() < other.data() + other.size() && other.data() < one.data() + one.size();
}

/// `names` are those of all the arrays.
void refuse_shared_memory(std::initializer_list<ByteView> arrays, const char* names) {
  for (auto one = arrays.begin(); one != arrays.end(); ++one) {
    for (auto other = std::next(one); other != arrays.end(); ++other) {
      if (shares_memory(*one, *other)) {
        raise(Error::invalid_argument, std::string(names) + ": no two may share memory");
      }
    }
  }
}

PacketStatus to_status(Error error) {
  switch (error) {
    case Error::truncated:
      return PacketStatus::truncated;
    case Error::malformed:
      return PacketStatus::malformed;
    case Error::authentication_failed:
      return PacketStatus::authentication_failed;
    case Error::replayed:
      return PacketStatus::replayed;
    case Error::too_old:
      return PacketStatus::too_old;
    case Error::unknown_key_id:
      return PacketStatus::unknown_key_id;
    case Error::key_exhausted:
      return PacketStatus::key_exhausted;
    case Error::limit_exceeded:
      return PacketStatus::limit_exceeded;
    default:
      return PacketStatus::failed;
  }
}

/// The task that seals `packet`, whose header has this size, into `out`.
srtp::ProtectTask seal_task(ByteView packet, std::size_t header_size, MutableByteView out) {
  srtp::copy_header(packet.first(header_size), out);
  return {out, header_size, packet.subspan(header_size)};
}

/// What one packet gets of the output of unprotect_rtp_batch, whatever becomes of it.
std::size_t opened_size(std::size_t size, std::size_t overhead) {
  return size - std::min(size, overhead);
}

/// Of each packet of a batch. Refuses one with a packet that is no RTP before anything is sealed.
std::vector<std::size_t> header_sizes(ByteView data, const SizeBuffer& sizes,
                                      std::size_t overhead) {
  std::vector<std::size_t> found(sizes.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto header = srtp::parse_rtp_header(data.subspan(at, sizes[i]));
    const bool fits = sizes[i] + overhead <= srtp::kMaxPacketSize;
    if (!header || !fits) {
      const Error error = header ? Error::malformed : header.error();
      raise(error, "packet " + std::to_string(i) + ": " +
                       (fits ? std::string(error_message(error)) : "too large for a datagram"));
    }
    found[i] = header.value().size;
    at += sizes[i];
  }
  return found;
}

void seal_all(srtp::Sender& sender, std::mutex& mutex, ByteView data, const SizeBuffer& sizes,
              std::uint8_t* out, Int32Writer out_sizes) {
  const std::size_t overhead = sender.rtp_overhead();
  const std::vector<std::size_t> headers = header_sizes(data, sizes, overhead);
  const auto failure = run_native(data.size(), [&]() -> Result<void> {
    const std::lock_guard lock(mutex);
    // All or none: indices that were spent on a part would be sealed twice.
    if (sender.key_usage().remaining_rtp_packets < sizes.size()) return Error::key_exhausted;
    std::array<srtp::ProtectTask, kTasks> tasks;
    std::size_t at = 0;
    for (std::size_t begin = 0; begin < sizes.size(); begin += kTasks) {
      const std::size_t count = std::min(kTasks, sizes.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = sizes[begin + i];
        tasks[i] = seal_task(data.subspan(at, size), headers[begin + i], {out, size + overhead});
        at += size;
        out += size + overhead;
        out_sizes.set(begin + i, size + overhead);
      }
      if (sender.protect_rtp_batch(std::span(tasks).first(count)) == count) continue;
      for (std::size_t i = 0; i < count; ++i) {
        if (!tasks[i].size) return tasks[i].size.error();
      }
    }
    return {};
  });
  if (!failure) raise(failure.error(), sealing_error(failure.error()));
}

std::size_t open_all(srtp::Receiver& receiver, std::mutex& mutex, ByteView data,
                     const SizeBuffer& sizes, std::uint8_t* out, Int32Writer out_sizes,
                     std::uint8_t* statuses) {
  const std::size_t overhead = receiver.rtp_overhead();
  return run_native(data.size(), [&] {
    const std::lock_guard lock(mutex);
    std::array<srtp::UnprotectTask, kTasks> tasks;
    std::size_t accepted = 0;
    std::size_t at = 0;
    for (std::size_t begin = 0; begin < sizes.size(); begin += kTasks) {
      const std::size_t count = std::min(kTasks, sizes.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = sizes[begin + i];
        tasks[i] = {data.subspan(at, size), {out, opened_size(size, overhead)}};
        at += size;
        out += opened_size(size, overhead);
        out_sizes.set(begin + i, opened_size(size, overhead));
      }
      accepted += receiver.unprotect_rtp_batch(std::span(tasks).first(count));
      for (std::size_t i = 0; i < count; ++i) {
        const auto& done = tasks[i].size;
        statuses[begin + i] =
            static_cast<std::uint8_t>(done ? PacketStatus::ok : to_status(done.error()));
        if (!done) std::ranges::fill(tasks[i].out, std::uint8_t{0});
      }
    }
    return accepted;
  });
}

std::size_t opened_total(const SizeBuffer& sizes, std::size_t overhead) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) total += opened_size(sizes[i], overhead);
  return total;
}

/// The results of a batch as a list. A refused packet's place holds its exception, or without
/// `return_errors` the first one is raised.
template <class Task>
py::list finish_list(std::vector<py::bytes>& results, const std::vector<Task>& tasks,
                     bool return_errors, std::string (*sentence)(Error)) {
  py::list list(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto& done = tasks[i].size;
    if (!done && !return_errors) raise(done.error(), sentence(done.error()));
    PyObject* const item = (done ? py::object(std::move(results[i]))
                                 : make_exception(done.error(), sentence(done.error())))
                               .release()
                               .ptr();
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), item);
  }
  return list;
}

}  // namespace

py::list protect_rtp_list(srtp::Sender& sender, std::mutex& mutex, const py::handle& packets,
                          bool return_errors) {
  const BufferList inputs("packets", packets);
  std::vector<srtp::ProtectTask> tasks(inputs.views().size());
  std::vector<std::optional<Error>> refused(tasks.size());  // the core only sees no header
  std::vector<py::bytes> results;
  results.reserve(tasks.size());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const ByteView packet = inputs.views()[i];
    MutableByteView out;
    results.push_back(make_bytes(packet.size() + sender.rtp_overhead(), out));
    const auto header = srtp::parse_rtp_header(packet);
    if (header) {
      tasks[i] = seal_task(packet, header.value().size, out);
    } else {
      refused[i] = header.error();
    }
    bytes += packet.size();
  }
  run_native(bytes, [&] {
    const std::lock_guard lock(mutex);
    sender.protect_rtp_batch(tasks);
  });
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (refused[i]) tasks[i].size = *refused[i];
  }
  return finish_list(results, tasks, return_errors, sealing_error);
}

py::list unprotect_rtp_list(srtp::Receiver& receiver, std::mutex& mutex, const py::handle& packets,
                            bool return_errors) {
  const BufferList inputs("packets", packets);
  std::vector<srtp::UnprotectTask> tasks(inputs.views().size());
  std::vector<py::bytes> results;
  results.reserve(tasks.size());
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].packet = inputs.views()[i];
    const std::size_t size = opened_size(tasks[i].packet.size(), receiver.rtp_overhead());
    results.push_back(make_bytes(size, tasks[i].out));
    bytes += tasks[i].packet.size();
  }
  run_native(bytes, [&] {
    const std::lock_guard lock(mutex);
    receiver.unprotect_rtp_batch(tasks);
  });
  return finish_list(results, tasks, return_errors, opening_error);
}

py::tuple protect_rtp_batch(srtp::Sender& sender, std::mutex& mutex, const py::buffer& data,
                            const py::buffer& sizes) {
  const ReadBuffer in(data);
  const SizeBuffer in_sizes("sizes", sizes, in.view().size());
  py::array_t<std::uint8_t> out(
      static_cast<py::ssize_t>(in.view().size() + in_sizes.size() * sender.rtp_overhead()));
  py::array_t<std::int32_t> out_sizes(static_cast<py::ssize_t>(in_sizes.size()));
  seal_all(sender, mutex, in.view(), in_sizes, out.mutable_data(),
           Int32Writer(out_sizes.mutable_data()));
  return py::make_tuple(std::move(out), std::move(out_sizes));
}

std::size_t protect_rtp_batch_into(srtp::Sender& sender, std::mutex& mutex, const py::buffer& data,
                                   const py::buffer& sizes, const py::buffer& out,
                                   const py::buffer& out_sizes) {
  const ReadBuffer in(data);
  const SizeBuffer in_sizes("sizes", sizes, in.view().size());
  const WriteBuffer to(out);
  const SizeOutput to_sizes(out_sizes, in_sizes.size());
  const std::size_t size = in.view().size() + in_sizes.size() * sender.rtp_overhead();
  if (to.view().size() < size) {
    raise(Error::buffer_too_small, "out: needs " + std::to_string(size) + " bytes");
  }
  refuse_shared_memory({in.view(), to.view(), to_sizes.memory()}, "data, out, out_sizes");
  seal_all(sender, mutex, in.view(), in_sizes, to.view().data(), to_sizes.writer());
  return size;
}

py::tuple unprotect_rtp_batch(srtp::Receiver& receiver, std::mutex& mutex, const py::buffer& data,
                              const py::buffer& sizes) {
  const ReadBuffer in(data);
  const SizeBuffer in_sizes("sizes", sizes, in.view().size());
  const auto count = static_cast<py::ssize_t>(in_sizes.size());
  py::array_t<std::uint8_t> out(
      static_cast<py::ssize_t>(opened_total(in_sizes, receiver.rtp_overhead())));
  py::array_t<std::int32_t> out_sizes(count);
  py::array_t<std::uint8_t> statuses(count);
  open_all(receiver, mutex, in.view(), in_sizes, out.mutable_data(),
           Int32Writer(out_sizes.mutable_data()), statuses.mutable_data());
  return py::make_tuple(std::move(out), std::move(out_sizes), std::move(statuses));
}

std::size_t unprotect_rtp_batch_into(srtp::Receiver& receiver, std::mutex& mutex,
                                     const py::buffer& data, const py::buffer& sizes,
                                     const py::buffer& out, const py::buffer& out_sizes,
                                     const py::buffer& statuses) {
  const ReadBuffer in(data);
  const SizeBuffer in_sizes("sizes", sizes, in.view().size());
  const WriteBuffer to(out);
  const SizeOutput to_sizes(out_sizes, in_sizes.size());
  const WriteBuffer to_statuses(statuses);
  if (to_statuses.view().size() != in_sizes.size()) {
    raise(Error::invalid_argument, "statuses: as many as sizes");
  }
  const std::size_t size = opened_total(in_sizes, receiver.rtp_overhead());
  if (to.view().size() < size) {
    raise(Error::buffer_too_small, "out: needs " + std::to_string(size) + " bytes");
  }
  refuse_shared_memory({in.view(), to.view(), to_sizes.memory(), to_statuses.view()},
                       "data, out, out_sizes, statuses");
  return open_all(receiver, mutex, in.view(), in_sizes, to.view().data(), to_sizes.writer(),
                  to_statuses.view().data());
}

}  // namespace sealroom::bindings
