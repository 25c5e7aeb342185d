# One static library per layer; what a layer may see is what it links, so the link graph is the dependency rule.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

add_library(sealroom_options INTERFACE)
target_compile_features(sealroom_options INTERFACE cxx_std_20)
target_compile_options(sealroom_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  $<$<BOOL:${SEALROOM_WERROR}>:-Werror>)
if(SEALROOM_SANITIZE)
  target_compile_options(sealroom_options INTERFACE
    -fsanitize=${SEALROOM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sealroom_options INTERFACE -fsanitize=${SEALROOM_SANITIZE})
endif()

if(SEALROOM_FUZZERS AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # So that libFuzzer sees the branches inside the layers, not only those of its entry point.
  target_compile_options(sealroom_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(sealroom_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# sealroom_add_layer(NAME SOURCES ... DEPENDS ... LIBRARIES ...)
#   DEPENDS   sealroom layers, visible to users of this one
#   LIBRARIES outside libraries, visible only inside
function(sealroom_add_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  if(LAYER_SOURCES)
    add_library(sealroom_${name} STATIC ${LAYER_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(sealroom_${name} PRIVATE sealroom_options ${LAYER_LIBRARIES})
    set_target_properties(sealroom_${name} PROPERTIES
      POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
      CXX_EXTENSIONS OFF)
  else()
    add_library(sealroom_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(sealroom::${name} ALIAS sealroom_${name})
  target_compile_features(sealroom_${name} ${scope} cxx_std_20)
  target_include_directories(sealroom_${name} ${scope} "${PROJECT_SOURCE_DIR}/cpp/include")
  foreach(dependency IN LISTS LAYER_DEPENDS)
    target_link_libraries(sealroom_${name} ${scope} sealroom::${dependency})
  endforeach()
endfunction()

# sealroom_add_test(NAME SOURCES ... ALONE ... DEPENDS ...): a GoogleTest program over the named layers.
#   ALONE  sources whose helpers have the names of another file's, so that they cannot be one unit with it, or that
#          replace operator new, whose malloc the compiler must not see beside the caller's delete
function(sealroom_add_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;ALONE;DEPENDS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES} ${TEST_ALONE})
  set_source_files_properties(${TEST_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/cpp")
  target_compile_definitions(${name} PRIVATE
    SEALROOM_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors")
  target_link_libraries(${name} PRIVATE sealroom_options GTest::gtest_main)
  # Reading GoogleTest and optimising tests was most of a build. What is tested keeps its optimisation.
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    target_compile_options(${name} PRIVATE -O1 -g1)
  endif()
  foreach(dependency IN LISTS TEST_DEPENDS)
    target_link_libraries(${name} PRIVATE sealroom::${dependency})
  endforeach()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
endfunction()
