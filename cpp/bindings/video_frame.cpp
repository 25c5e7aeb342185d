#include "video_frame.h"

#include <memory>
#include <utility>

#include "frame_object.h"
#include "jitter_intake.h"
#include "plain_repr.h"

namespace sealroom::bindings {
namespace video_frame {  // audio_frame.cpp, perhaps in the same unit, has functions of the same
                         // names
namespace {

struct VideoFrameObject {
  PyObject_HEAD jitter::VideoFrame frame;
};

PyTypeObject* type = nullptr;

jitter::VideoFrame& frame_of(PyObject* self) {
  return reinterpret_cast<VideoFrameObject*>(self)->frame;
}

void dealloc(PyObject* self) {
  std::destroy_at(&frame_of(self));
  PyObject_Free(self);
  Py_DECREF(type);  // which each object holds, being made by a spec
}

PyObject* get_data(PyObject* self, void*) { return data_view(self, frame_of(self).data); }
PyObject* get_timestamp(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(frame_of(self).timestamp.value);
}
PyObject* get_is_key_frame(PyObject* self, void*) {
  return PyBool_FromLong(frame_of(self).is_key_frame ? 1 : 0);
}
PyObject* get_first_sequence_number(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(frame_of(self).first_sequence_number);
}
PyObject* get_last_sequence_number(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(frame_of(self).last_sequence_number);
}
PyObject* get_first_packet_arrival(PyObject* self, void*) {
  return PyFloat_FromDouble(to_seconds(frame_of(self).first_packet_arrival));
}
PyObject* get_completed_at(PyObject* self, void*) {
  return PyFloat_FromDouble(to_seconds(frame_of(self).completed_at));
}

PyGetSetDef properties[] = {
    {"data", get_data, nullptr,
     "uint8, shape (bytes,): a view of the frame's own memory. The picture is as it was sent, its\n"
     "framing may not be: H.264 start codes have 4 bytes, AV1 has no temporal delimiters.",
     nullptr},
    {"timestamp", get_timestamp, nullptr, "RTP timestamp, 32 bits, in 1/90000 s.", nullptr},
    {"is_key_frame", get_is_key_frame, nullptr, "It needs no frame before it.", nullptr},
    {"first_sequence_number", get_first_sequence_number, nullptr, "Of its first packet, 16 bits.",
     nullptr},
    {"last_sequence_number", get_last_sequence_number, nullptr, "Of its last packet, 16 bits.",
     nullptr},
    {"first_packet_arrival", get_first_packet_arrival, nullptr,
     "Seconds, on the time line of `now`.", nullptr},
    {"completed_at", get_completed_at, nullptr,
     "Seconds: arrival of the packet that made it whole.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

char documentation[] = "A complete encoded frame, which needs none that did not leave before it.";

PyType_Slot slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(plain_repr)},
    {Py_tp_getset, properties},
    {Py_tp_doc, documentation},
    {0, nullptr},
};

PyType_Spec spec = {"sealroom._core.jitter.VideoFrame", sizeof(VideoFrameObject), 0,
                    kFrameTypeFlags, slots};

}  // namespace
}  // namespace video_frame

void bind_video_frame(py::module_& m) {
  video_frame::type = add_frame_type(m, "VideoFrame", video_frame::spec);
}

py::object make_video_frame(jitter::VideoFrame&& frame) {
  auto* const object = PyObject_New(video_frame::VideoFrameObject, video_frame::type);
  if (object == nullptr) throw py::error_already_set();
  std::construct_at(&object->frame, std::move(frame));
  return py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(object));
}

}  // namespace sealroom::bindings
