# Builds and runs the C and the C++ program with what pkg-config says, and nothing else.
find_program(PKG_CONFIG NAMES pkg-config pkgconf REQUIRED)
set(ENV{PKG_CONFIG_PATH} "${PREFIX}/${LIBDIR}/pkgconfig")
function(ask out)
    execute_process(
        COMMAND "${PKG_CONFIG}" ${ARGN} csploop
        OUTPUT_VARIABLE answer
        OUTPUT_STRIP_TRAILING_WHITESPACE
        COMMAND_ERROR_IS_FATAL ANY
    )
    separate_arguments(answer UNIX_COMMAND "${answer}")
    set(${out} "${answer}" PARENT_SCOPE)
endfunction()
ask(version --modversion)
if(NOT version STREQUAL VERSION)
    message(FATAL_ERROR "csploop.pc says version ${version}, the project ${VERSION}")
endif()
ask(flags --cflags --libs)
if(flags MATCHES "uv|stdc")
    message(FATAL_ERROR "who links the shared library needs neither libuv nor the C++ runtime: ${flags}")
endif()
foreach(case IN ITEMS "c|${CC}|-std=c11" "cpp|${CXX}|-std=c++20")
    string(REPLACE "|" ";" case "${case}")
    list(GET case 0 suffix)
    list(GET case 1 compiler)
    list(GET case 2 standard)
    set(program "${WORK}/pkg_config_${suffix}")
    execute_process(
        COMMAND "${compiler}" ${standard} -Wall -Wextra -Werror "${CONSUMER}/consumer.${suffix}" -o "${program}" ${flags}
        COMMAND_ERROR_IS_FATAL ANY
    )
    # Where the library lies is the user's affair here, as for any prefix outside the linker's path.
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -E env "LD_LIBRARY_PATH=${PREFIX}/${LIBDIR}" "${program}"
        OUTPUT_VARIABLE output
        COMMAND_ERROR_IS_FATAL ANY
    )
    if(NOT output MATCHES "csploop ${VERSION}")
        message(FATAL_ERROR "the ${suffix} program printed: ${output}")
    endif()
endforeach()
