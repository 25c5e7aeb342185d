#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <string>

#include "errors.h"
#include "sealroom/base/bytes.h"
#include "sealroom/base/types.h"
#include "sealroom/sframe/sender.h"

namespace sealroom::bindings {

inline constexpr const char* kMetadataTooLong = "metadata: at most 1024 bytes";

/// What a frame was refused for, in the words of the call that was given it.
struct FrameRefusal {
  const char* frame;  ///< the argument's name
  ByteView in;        ///< the argument
  ByteView metadata;
  std::size_t needed = 0;  ///< bytes of `out`
  std::size_t room = 0;    ///< of them there are
  std::optional<KeyId> key_id = std::nullopt;

  [[noreturn]] void raise(Error error) const {
    switch (error) {
      case Error::invalid_argument:
        if (metadata.size() > sframe::kMaxMetadataSize) bindings::raise(error, kMetadataTooLong);
        bindings::raise(error, std::string(frame) + ": at most 2**31 - 1 bytes");
      case Error::buffer_too_small:
        bindings::raise(error, "out: " + std::to_string(needed) + " bytes are needed, it has " +
                                   std::to_string(room));
      case Error::unknown_key_id:
        if (key_id) raise_key_not_found(*key_id);
        break;
      default:
        break;
    }
    bindings::raise(error);
  }

  [[noreturn]] static void raise_key_not_found(KeyId key_id) {
    const pybind11::object exception = make_exception(
        Error::unknown_key_id, "no key is installed for key id " + std::to_string(key_id.value) +
                                   ": add_key() it; PendingFrames holds the frame until it comes");
    exception.attr("key_id") = key_id.value;
    PyErr_SetObject(pybind11::type::handle_of(exception).ptr(), exception.ptr());
    throw pybind11::error_already_set();
  }
};

}  // namespace sealroom::bindings
