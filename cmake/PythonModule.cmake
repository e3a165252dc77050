# The CFFI module csploop._ffi._csploop, with libcsploop beside it. pip's build
# (scikit-build-core, which sets SKBUILD) always comes here.
#
# Only the interpreter is asked where its headers lie and how its modules are
# called: that is the same for CPython and PyPy, of any version.
set(Python_FIND_IMPLEMENTATIONS CPython PyPy)
find_package(Python 3.9 REQUIRED COMPONENTS Interpreter)

function(csploop_ask_python out expression)
    execute_process(
        COMMAND "${Python_EXECUTABLE}" -c "import sysconfig; print(${expression})"
        OUTPUT_VARIABLE answer
        OUTPUT_STRIP_TRAILING_WHITESPACE
        COMMAND_ERROR_IS_FATAL ANY
    )
    set(${out} "${answer}" PARENT_SCOPE)
endfunction()
csploop_ask_python(python_include "sysconfig.get_path('include')")
csploop_ask_python(python_suffix "sysconfig.get_config_var('EXT_SUFFIX')")
if(NOT EXISTS "${python_include}/Python.h")
    message(
        FATAL_ERROR
        "${Python_EXECUTABLE} has no Python.h in ${python_include}. "
        "Install its development files (Debian: python3-dev, or pypy3-dev for PyPy)."
    )
endif()

set(ffi_dir "${PROJECT_SOURCE_DIR}/python/csploop/_ffi")
set(ffi_source "${PROJECT_BINARY_DIR}/_csploop.c")
file(GLOB public_headers CONFIGURE_DEPENDS include/*.h include/csploop/*.h)
file(GLOB ffi_scripts CONFIGURE_DEPENDS "${ffi_dir}/*.py")
add_custom_command(
    OUTPUT "${ffi_source}"
    COMMAND "${Python_EXECUTABLE}" "${ffi_dir}/build.py" --cc "${CMAKE_C_COMPILER}" --source "${ffi_source}"
    DEPENDS ${public_headers} ${ffi_scripts} "${ffi_dir}/csploop.cdef.h"
    COMMENT "Generating the CFFI module from the public headers"
    VERBATIM
)
add_library(_csploop MODULE "${ffi_source}")
target_include_directories(_csploop PRIVATE "${python_include}")
target_link_libraries(_csploop PRIVATE csploop)
set_target_properties(
    _csploop
    PROPERTIES
        PREFIX ""
        SUFFIX "${python_suffix}"
        C_VISIBILITY_PRESET default
        C_EXTENSIONS ON
        INSTALL_RPATH "$<IF:$<PLATFORM_ID:Darwin>,@loader_path,\$ORIGIN>"
)
if(APPLE)
    target_link_options(_csploop PRIVATE LINKER:-undefined,dynamic_lookup)
elseif(WIN32)
    find_package(Python REQUIRED COMPONENTS Development.Module)
    target_link_libraries(_csploop PRIVATE Python::Module)
endif()

install(
    TARGETS csploop _csploop
    LIBRARY DESTINATION csploop/_ffi COMPONENT python NAMELINK_SKIP
    RUNTIME DESTINATION csploop/_ffi COMPONENT python
)
