#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "errors.h"
#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"
#include "sealroom/sframe/header.h"
#include "sealroom/sframe/sender.h"

namespace sealroom::bindings {

inline constexpr const char* kMetadataTooLong = "metadata: at most 1024 bytes";
inline constexpr const char* kFrameTooLarge = "at most 2**31 - 1 bytes";  // of the crypto libraries

/// What a frame was refused for, in the words of the call that was given it.
struct FrameRefusal {
  const char* frame;  ///< the argument's name
  ByteView in;        ///< the argument
  ByteView metadata;
  std::size_t needed = 0;  ///< bytes of `out`
  std::size_t room = 0;    ///< of them there are

  [[nodiscard]] pybind11::object exception(Error error) const {
    switch (error) {
      case Error::invalid_argument:
        return make_exception(error, metadata.size() > sframe::kMaxMetadataSize
                                         ? kMetadataTooLong
                                         : frame + (": " + std::string(kFrameTooLarge)));
      case Error::buffer_too_small:
        return make_exception(error, "out: " + std::to_string(needed) +
                                         " bytes are needed, it has " + std::to_string(room));
      case Error::unknown_key_id:
        if (const auto parsed = sframe::Header::parse(in)) {
          return key_not_found(parsed.value().header.key_id);
        }
        break;
      default:
        break;
    }
    return make_exception(error);
  }
  [[noreturn]] void raise(Error error) const { bindings::raise(exception(error)); }

  [[nodiscard]] static pybind11::object key_not_found(KeyId key_id) {
    pybind11::object exception = make_exception(
        Error::unknown_key_id,
        "no key is installed for key id " + std::to_string(key_id.value) +
            ": add_key() it; PendingFrames.hold(frame, key_id=error.key_id, now=...) keeps the "
            "frame until it comes");
    exception.attr("key_id") = key_id.value;
    return exception;
  }
};

}  // namespace sealroom::bindings
