#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "errors.h"
#include "sealroom/srtp/master_key.h"
#include "sealroom/srtp/profile.h"

namespace sealroom::bindings {

void bind_srtp_receiver(pybind11::module_& m);  ///< the part of bind_srtp.cpp of its own file

/// The number of a profile of srtp.Profile: of DTLS-SRTP, or of a suite of RFC 6188.
inline srtp::Profile any_profile(int number) {
  const auto profile = static_cast<srtp::Profile>(number);
  if (number < 0 || !srtp::profile_parameters(profile)) {
    raise(Error::unsupported,
          "profile: " + std::to_string(number) + " is no srtp.Profile of this build");
  }
  return profile;
}

/// What to say of a packet that a Sender refused, and what to do.
inline std::string sealing_error(Error error) {
  switch (error) {
    case Error::limit_exceeded:
      return "packet: a stream more than the 4096 of a Sender; remove_stream() those that ended";
    case Error::replayed:
      return "packet: its sequence number was sent before, and again would reuse its key stream; "
             "allow_repeats=True takes retransmissions";
    case Error::too_old:
      return "packet: its sequence number is 1024 or more behind the newest, so perhaps sent "
             "before; allow_repeats=True takes retransmissions of less than 16384 behind";
    default:
      return std::string(error_message(error));
  }
}

/// The same for a Receiver.
inline std::string opening_error(Error error) {
  if (error == Error::limit_exceeded) {
    return "packet: a stream more than the 4096 of a Receiver; remove_stream() those that ended";
  }
  return std::string(error_message(error));
}

inline ByteView checked_mki(ByteView mki) {
  if (mki.size() > srtp::kMaxMkiSize) {
    raise(Error::invalid_argument, "mki: 0 to 128 bytes, got " + std::to_string(mki.size()));
  }
  return mki;
}

/// The MKI of a further key: its size is the context's.
inline ByteView checked_mki(ByteView mki, std::size_t size) {
  if (mki.size() != size) {
    raise(Error::invalid_argument, "mki: " + std::to_string(size) +
                                       " bytes, as the first one, got " +
                                       std::to_string(mki.size()));
  }
  return mki;
}

}  // namespace sealroom::bindings
