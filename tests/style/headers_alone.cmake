# One translation unit per header: it compiles alone, and including it twice does no harm. The
# object files are never linked; -O0 -g0 keeps them cheap, ccache free when nothing changed.
set(headers_alone_sources)
foreach(folder base protocol sql types crypto policy audit config proxy schema app)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
    ${CMAKE_SOURCE_DIR}/${folder}/*.hpp)
  foreach(header ${headers})
    string(REPLACE "/" "." name ${header})
    set(source ${CMAKE_BINARY_DIR}/headers_alone/${name}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT
      "#include \"${header}\"\n#include \"${header}\"  // again\n")
    list(APPEND headers_alone_sources ${source})
  endforeach()
endforeach()

add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${headers_alone_sources})
target_link_libraries(headers_alone PRIVATE postern_proxy postern_schema
  nlohmann_json::nlohmann_json)
target_compile_options(headers_alone PRIVATE -O0 -g0 -U_FORTIFY_SOURCE)
