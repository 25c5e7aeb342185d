#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <mutex>

#include "sealroom/srtp/receiver.h"
#include "sealroom/srtp/sender.h"

/// Batches of RTP packets between Python and the core: as lists of bytes-likes, and back to back in
/// one buffer beside an int32 array of sizes. The core runs without the GIL if the batch is large,
/// with `mutex` held.
namespace sealroom::bindings {

/// What became of a packet of Receiver.unprotect_rtp_batch. The numbers are part of the interface.
enum class PacketStatus : std::uint8_t {
  ok = 0,
  truncated = 1,
  malformed = 2,
  authentication_failed = 3,
  replayed = 4,
  too_old = 5,
  unknown_key_id = 6,
  key_exhausted = 7,
  limit_exceeded = 8,
  failed = 9,  ///< the crypto library
};

pybind11::list protect_rtp_list(srtp::Sender& sender, std::mutex& mutex,
                                const pybind11::handle& packets, bool return_errors);
pybind11::list unprotect_rtp_list(srtp::Receiver& receiver, std::mutex& mutex,
                                  const pybind11::handle& packets, bool return_errors);

/// `(data, sizes)`
pybind11::tuple protect_rtp_batch(srtp::Sender& sender, std::mutex& mutex,
                                  const pybind11::buffer& data, const pybind11::buffer& sizes);
/// Into the caller's arrays; returns the bytes written.
std::size_t protect_rtp_batch_into(srtp::Sender& sender, std::mutex& mutex,
                                   const pybind11::buffer& data, const pybind11::buffer& sizes,
                                   const pybind11::buffer& out, const pybind11::buffer& out_sizes);

/// `(data, sizes, statuses)`
pybind11::tuple unprotect_rtp_batch(srtp::Receiver& receiver, std::mutex& mutex,
                                    const pybind11::buffer& data, const pybind11::buffer& sizes);
/// Into the caller's arrays; returns how many packets were accepted.
std::size_t unprotect_rtp_batch_into(srtp::Receiver& receiver, std::mutex& mutex,
                                     const pybind11::buffer& data, const pybind11::buffer& sizes,
                                     const pybind11::buffer& out, const pybind11::buffer& out_sizes,
                                     const pybind11::buffer& statuses);

}  // namespace sealroom::bindings
