#include "audio_frame.h"

#include <cstddef>
#include <cstring>

#include "frame_object.h"
#include "jitter_intake.h"
#include "plain_repr.h"

namespace sealroom::bindings {
namespace {

struct AudioFrameObject {
  PyObject_VAR_HEAD  // whose size is the payload's
      AudioFrameFields fields;
  std::uint8_t payload[1];  // as long as it is
};

constexpr std::size_t kPayloadOffset = offsetof(AudioFrameObject, payload);

/// Made with the module and kept for good.
PyTypeObject* audio_frame_type = nullptr;

const AudioFrameFields& fields_of(PyObject* self) {
  return reinterpret_cast<AudioFrameObject*>(self)->fields;
}

void dealloc(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyObject* get_data(PyObject* self, void*) {
  auto* const frame = reinterpret_cast<AudioFrameObject*>(self);
  return data_view(self, {frame->payload, static_cast<std::size_t>(Py_SIZE(frame))});
}
PyObject* get_timestamp(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(fields_of(self).timestamp.value);
}
PyObject* get_sequence_number(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(fields_of(self).sequence_number);
}
PyObject* get_is_missing(PyObject* self, void*) {
  return PyBool_FromLong(fields_of(self).is_missing ? 1 : 0);
}
PyObject* get_arrival(PyObject* self, void*) {
  return PyFloat_FromDouble(to_seconds(fields_of(self).arrival));
}

PyGetSetDef properties[] = {
    {"data", get_data, nullptr,
     "uint8, shape (bytes,): a view of the frame's own memory, shape (0,) where `is_missing`.",
     nullptr},
    {"timestamp", get_timestamp, nullptr, "RTP timestamp, 32 bits, in units of the clock rate.",
     nullptr},
    {"sequence_number", get_sequence_number, nullptr, "RTP sequence number, 16 bits.", nullptr},
    {"is_missing", get_is_missing, nullptr, "Conceal this frame; its timestamp is interpolated.",
     nullptr},
    {"arrival", get_arrival, nullptr,
     "Seconds, on the time line of `now`; of a missing frame: of the packet behind the gap.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

char documentation[] = "An encoded frame, or the mark of one that is missing.";

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(plain_repr)},
    {Py_tp_getset, properties},
    {Py_tp_doc, documentation},
    {0, nullptr},
};

PyType_Spec spec = {"sealroom._core.jitter.AudioFrame", static_cast<int>(kPayloadOffset), 1,
                    kFrameTypeFlags, slots};

}  // namespace

void bind_audio_frame(py::module_& m) { audio_frame_type = add_frame_type(m, "AudioFrame", spec); }

py::object make_audio_frame(const AudioFrameFields& fields, ByteView payload) {
  auto* const frame =
      PyObject_NewVar(AudioFrameObject, audio_frame_type, static_cast<Py_ssize_t>(payload.size()));
  if (frame == nullptr) throw py::error_already_set();
  frame->fields = fields;
  if (!payload.empty()) std::memcpy(frame->payload, payload.data(), payload.size());
  return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(frame));
}

}  // namespace sealroom::bindings
