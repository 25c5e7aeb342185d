#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <cmath>
#include <string>

#include "arguments.h"
#include "frames.h"
#include "sealroom/sframe/header.h"
#include "sealroom/sframe/key_commitment.h"
#include "sealroom/sframe/pending_queue.h"
#include "sframe_objects.h"

namespace sealroom::bindings {
namespace {

using namespace py::literals;

TimePoint time_point(const char* name, double seconds) {
  constexpr double kMost = 1e12;  // the clock counts microseconds in 64 bits
  if (!(std::abs(seconds) <= kMost)) {
    raise(Error::invalid_argument, std::string(name) + ": seconds, at most 1e12");
  }
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

/// sframe::PendingFrames as Python sees it; calls from several threads take turns. Each is short.
class PyPendingFrames {
 public:
  PyPendingFrames(const Integer& max_key_ids, const Integer& max_frames_per_key,
                  const Integer& max_bytes_per_key, double max_age)
      : pending_(limits(max_key_ids, max_frames_per_key, max_bytes_per_key, max_age)) {}

  bool hold(const py::buffer& frame, const py::buffer& metadata, double now,
            const std::optional<Integer>& key_id) {
    const ReadBuffer in(frame);
    const ReadBuffer aad(metadata);
    const TimePoint time = time_point("now", now);
    const KeyId id = key_id ? KeyId{number<std::uint64_t>("key_id", *key_id)}
                            : unwrap(sframe::Header::parse(in.view())).header.key_id;
    sframe::HeldFrame held{{in.view().begin(), in.view().end()},
                           {aad.view().begin(), aad.view().end()}};
    const std::lock_guard lock(mutex_);
    return pending_.hold(id, in.view().size() + aad.view().size(), time, std::move(held),
                         [](KeyId, sframe::HeldFrame&&) {});
  }

  py::list take(std::uint64_t key_id, const std::optional<double>& now) {
    std::vector<sframe::HeldFrame> frames;
    const std::optional<TimePoint> time =
        now ? std::optional(time_point("now", *now)) : std::nullopt;
    {
      const std::lock_guard lock(mutex_);
      if (time) pending_.expire(*time, [](KeyId, sframe::HeldFrame&&) {});
      sframe::HeldFrame held;
      while (pending_.take(KeyId{key_id}, held)) frames.push_back(std::move(held));
    }
    py::list list;
    for (const sframe::HeldFrame& held : frames) {
      list.append(py::make_tuple(to_bytes(held.frame), to_bytes(held.metadata)));
    }
    return list;
  }

  std::uint64_t expire(double now) {
    const TimePoint time = time_point("now", now);
    const std::lock_guard lock(mutex_);
    const std::uint64_t before = pending_.dropped();
    pending_.expire(time, [](KeyId, sframe::HeldFrame&&) {});
    return pending_.dropped() - before;
  }

  void set_newest_key_id(std::uint64_t key_id) {
    const std::lock_guard lock(mutex_);
    pending_.set_newest_key_id(KeyId{key_id});
  }

  template <class Read>
  auto read(Read&& what) {
    const std::lock_guard lock(mutex_);
    return what(pending_);
  }

 private:
  static sframe::PendingLimits limits(const Integer& max_key_ids, const Integer& max_frames_per_key,
                                      const Integer& max_bytes_per_key, double max_age) {
    constexpr std::size_t kMost = 1u << 20;
    constexpr std::size_t kMostBytes = std::size_t{1} << 40;
    if (!(max_age > 0)) raise(Error::invalid_argument, "max_age: above 0 seconds");
    return {within("max_key_ids", max_key_ids, 1, kMost),
            within("max_frames_per_key", max_frames_per_key, 1, kMost),
            within("max_bytes_per_key", max_bytes_per_key, 1, kMostBytes),
            time_point("max_age", max_age).time_since_epoch()};
  }

  std::mutex mutex_;
  sframe::PendingFrames pending_;
};

void bind_pending_frames(py::module_& m) {
  const sframe::PendingLimits defaults;
  py::class_<PyPendingFrames>(
      m, "PendingFrames",
      "Frames whose key has not come yet, held until it does. Nothing about them is\n"
      "authenticated, so all is bounded: each key id has a share of `max_frames_per_key` frames\n"
      "and `max_bytes_per_key` bytes (metadata counts) in which the oldest makes room, there are\n"
      "`max_key_ids` shares, for the key ids nearest above `newest_key_id`, and what is older\n"
      "than `max_age` seconds is dropped by each call that is told the time. Thread-safe.")
      .def(py::init<const Integer&, const Integer&, const Integer&, double>(), py::kw_only(),
           "max_key_ids"_a = defaults.max_key_ids,
           "max_frames_per_key"_a = defaults.max_frames_per_key,
           "max_bytes_per_key"_a = defaults.max_bytes_per_key,
           "max_age"_a = std::chrono::duration<double>(defaults.max_age).count())
      .def("hold", &PyPendingFrames::hold, "frame"_a, "metadata"_a = py::bytes(), py::kw_only(),
           "now"_a, "key_id"_a = py::none(),
           "Copies a frame that unprotect refused with KeyNotFoundError; False if it was itself\n"
           "dropped. A frame of unprotect_frame comes with the `key_id` of that error, since its\n"
           "front may be its codec's; without one the SFrame header is read there. `now` is the\n"
           "time in seconds on any clock that does not go back. Raises MalformedError.")
      .def("take", &PyPendingFrames::take, "key_id"_a, py::kw_only(), "now"_a = py::none(),
           "The frames under a key id, oldest first, as `(frame, metadata)`; they are held no\n"
           "longer. With `now` none that is older than max_age.")
      .def("expire", &PyPendingFrames::expire, "now"_a,
           "Drops what is older than max_age; how many.")
      .def("set_newest_key_id", &PyPendingFrames::set_newest_key_id, "key_id"_a,
           "The key id that others are measured against where they are too many; 0 at first.")
      .def("__len__",
           [](PyPendingFrames& self) { return self.read([](auto& p) { return p.frames(); }); })
      .def_property_readonly(
          "nbytes",
          [](PyPendingFrames& self) { return self.read([](auto& p) { return p.bytes(); }); },
          "Bytes held.")
      .def_property_readonly(
          "dropped",
          [](PyPendingFrames& self) { return self.read([](auto& p) { return p.dropped(); }); },
          "Frames that found no room or grew too old, so far.");
}

void bind_key_ids(py::module_& m) {
  m.def(
      "parse_header",
      [](const py::buffer& frame) {
        const ReadBuffer in(frame);
        const auto parsed = unwrap(sframe::Header::parse(in.view()));
        return py::make_tuple(parsed.header.key_id.value, parsed.header.counter, parsed.size);
      },
      "frame"_a,
      "Key id, counter and size in bytes of the SFrame header at the front of `frame` (RFC 9605\n"
      "section 4.3). None of it is authenticated. Raises MalformedError.");
  m.def(
      "ratchet_key_id",
      [](const Integer& generation, const Integer& step, const Integer& bits) {
        const auto width = static_cast<unsigned>(
            bits.value && *bits.value <= sframe::kMaxRatchetBits ? *bits.value : 0);
        if (width < 1 || !generation.value || *generation.value >> (64 - width) != 0) {
          raise(Error::invalid_argument,
                "generation, bits: 1 to 32 bits, and a generation of the 64 - bits others");
        }
        return sframe::ratchet_key_id(*generation.value, number<std::uint64_t>("step", step), width)
            .value;
      },
      "generation"_a, "step"_a, "bits"_a,
      "(generation << bits) + step % 2**bits, the key id of a ratchet (RFC 9605 section 5.1). "
      "Raises\nInvalidArgumentError for bits that are not 1 to 32 or a generation that needs more "
      "than the\nothers.");
  py::class_<sframe::MlsKeyIdLayout>(
      m, "MlsKeyIdLayout",
      "Key ids under MLS (RFC 9605 section 5.2): context, sender's leaf index, low bits of the "
      "epoch. Raises\nInvalidArgumentError for widths that do not fit 64 bits.")
      .def(py::init([](const Integer& epoch_bits, const Integer& sender_bits) {
             const std::uint64_t epoch = within("epoch_bits", epoch_bits, 1, 63);
             const std::uint64_t sender = within("sender_bits", sender_bits, 0, 64 - epoch);
             return sframe::MlsKeyIdLayout{static_cast<unsigned>(epoch),
                                           static_cast<unsigned>(sender)};
           }),
           py::kw_only(), "epoch_bits"_a, "sender_bits"_a)
      .def(
          "encode",
          [](const sframe::MlsKeyIdLayout& self, const Integer& sender, const Integer& epoch,
             const Integer& context) {
            return unwrap(self.encode(mls_key_id(sender, epoch, context)),
                          "sender, context: too large for the layout")
                .value;
          },
          py::kw_only(), "sender"_a, "epoch"_a, "context"_a = 0,
          "The key id. Raises InvalidArgumentError for what does not fit.")
      .def(
          "decode",
          [](const sframe::MlsKeyIdLayout& self, std::uint64_t key_id) {
            const auto id = unwrap(self.decode(KeyId{key_id}));
            return py::make_tuple(id.context, id.sender, id.epoch);
          },
          "key_id"_a, "Context, sender, and the low bits of the epoch.")
      .def(
          "__eq__",
          [](const sframe::MlsKeyIdLayout& self, const sframe::MlsKeyIdLayout& other) {
            return self.epoch_bits == other.epoch_bits && self.sender_bits == other.sender_bits;
          },
          py::is_operator())
      .def("__hash__",
           [](const sframe::MlsKeyIdLayout& self) {
             return py::hash(py::make_tuple(self.epoch_bits, self.sender_bits));
           })
      .def_readonly("epoch_bits", &sframe::MlsKeyIdLayout::epoch_bits, "Low bits of the epoch.")
      .def_readonly("sender_bits", &sframe::MlsKeyIdLayout::sender_bits, "Bits of the leaf index.");
}

void bind_keys(py::module_& m) {
  m.def(
      "key_commitment",
      [](std::int64_t suite, const Integer& key_id, const py::buffer& base_key) {
        const ReadBuffer key(base_key);
        const KeyId id{number<std::uint64_t>("key_id", key_id)};
        const auto commitment = unwrap(sframe::key_commitment(cipher_suite(suite), id, key.view()),
                                       "base_key: at least 1 byte");
        return to_bytes(commitment);
      },
      py::kw_only(), "suite"_a, "key_id"_a, "base_key"_a,
      "32 bytes that bind a base key to its suite and key id without telling it, for\n"
      "Receiver.add_key: frames do not bind their key, so whoever hands out two keys under one\n"
      "key id could make a frame that two receivers open to different contents. No part of RFC "
      "9605. Raises\nInvalidArgumentError for an empty key, UnsupportedError for an unknown "
      "suite.");
  m.def(
      "ratchet_base_key",
      [](std::int64_t suite, const py::buffer& base_key) {
        const ReadBuffer key(base_key);
        SecretBytes<64> next;
        const std::size_t size =
            unwrap(sframe::ratchet_base_key(cipher_suite(suite), key.view(), next.mutable_view()),
                   "base_key: at least 1 byte");
        return to_bytes(next.view().first(size));
      },
      py::kw_only(), "suite"_a, "base_key"_a,
      "The base key of the next ratchet step (RFC 9605 section 5.1): for who hands out the key of\n"
      "a later step. Sender.ratchet and Receiver.add_ratchet do this by themselves. "
      "Raises\nInvalidArgumentError for an empty key, UnsupportedError for an unknown suite.");
}

}  // namespace

void bind_sframe_keys(py::module_& m) {
  bind_pending_frames(m);
  bind_key_ids(m);
  bind_keys(m);
}

}  // namespace sealroom::bindings
