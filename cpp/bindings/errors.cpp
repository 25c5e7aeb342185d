#include "errors.h"

#include <system_error>

namespace sealroom::bindings {
namespace {

namespace py = pybind11;

// Without a default, so that the compiler asks for the class of a new Error.
const char* class_name(Error error) {
  switch (error) {
    case Error::invalid_argument:
      return "InvalidArgumentError";
    case Error::buffer_too_small:
      return "BufferTooSmallError";
    case Error::truncated:
      return "TruncatedError";
    case Error::malformed:
      return "MalformedError";
    case Error::unsupported:
      return "UnsupportedError";
    case Error::authentication_failed:
      return "AuthenticationError";
    case Error::replayed:
      return "ReplayError";
    case Error::too_old:
      return "TooOldError";
    case Error::unknown_key_id:
      return "KeyNotFoundError";
    case Error::unknown_ssrc:
      return "UnknownStreamError";
    case Error::not_encrypted:
      return "NotEncryptedError";
    case Error::key_exhausted:
      return "KeyExhaustedError";
    case Error::not_ready:
      return "NotReadyError";
    case Error::limit_exceeded:
      return "LimitExceededError";
    case Error::commitment_mismatch:
      return "KeyCommitmentError";
    case Error::crypto_failure:
      return "CryptoError";
    case Error::system_error:
      return "NativeIoError";
  }
  return "SealroomError";
}

}  // namespace

// The module is looked up by name each time: after the first time that is a dictionary look-up, and
// no Python object outlives the interpreter.
py::object make_exception(Error error, const std::string& message) {
  return py::module_::import("sealroom.errors").attr(class_name(error))(message);
}

py::object make_exception(Error error) {
  return make_exception(error, std::string(error_message(error)));
}

void raise(Error error) { raise(error, std::string(error_message(error))); }

void raise(Error error, const std::string& message) { raise(make_exception(error, message)); }

void raise(const py::object& exception) {
  PyErr_SetObject(py::type::handle_of(exception).ptr(), exception.ptr());
  throw py::error_already_set();
}

void translate_exceptions() {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const MadeBeforeFork&) {
      const py::object exception =
          make_exception(Error::not_ready,
                         "made by another process, before a fork: make a new one in this process");
      PyErr_SetObject(py::type::handle_of(exception).ptr(), exception.ptr());
    } catch (const std::system_error& error) {
      const py::tuple arguments = py::make_tuple(error.code().value(), error.what());
      PyErr_SetObject(PyExc_OSError, arguments.ptr());
    }
  });
}

}  // namespace sealroom::bindings
