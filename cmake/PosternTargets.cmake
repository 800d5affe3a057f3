# One static library per folder and one test binary per folder: an edit relinks one small binary.

# postern_folder(NAME [DEPENDS lib...]) compiles every .cpp under NAME/ into postern_NAME.
# A folder without sources yet is skipped, so that the house can be built room by room.
function(postern_folder name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.cpp)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.hpp)
  if(NOT sources)
    add_library(postern_${name} INTERFACE)
    target_link_libraries(postern_${name} INTERFACE postern_options ${ARG_DEPENDS})
    return()
  endif()
  add_library(postern_${name} STATIC ${sources} ${headers})
  target_link_libraries(postern_${name} PUBLIC postern_options ${ARG_DEPENDS})
endfunction()

# postern_tests(NAME [DEPENDS lib...]) builds tests/NAME/*.cpp into test_NAME and registers it.
function(postern_tests name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources} ${CMAKE_SOURCE_DIR}/tests/support/doctest_main.cpp)
  target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS})
  target_compile_definitions(test_${name} PRIVATE
    POSTERN_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME unit.${name} COMMAND test_${name})
endfunction()
