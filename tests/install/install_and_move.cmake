# Installs the build tree and moves the result.
file(REMOVE_RECURSE "${STAGE}" "${PREFIX}")
execute_process(
    COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${STAGE}"
    OUTPUT_QUIET
    COMMAND_ERROR_IS_FATAL ANY
)
file(RENAME "${STAGE}" "${PREFIX}")
foreach(
    file
    IN ITEMS
        include/csploop.h
        include/csploop/loop.h
        include/csploop/csploop.hpp
        ${LIBDIR}/libcsploop.so.0
        ${LIBDIR}/pkgconfig/csploop.pc
        ${LIBDIR}/cmake/csploop/csploopConfig.cmake
)
    if(NOT EXISTS "${PREFIX}/${file}")
        message(SEND_ERROR "${file} was not installed")
    endif()
endforeach()
# Nothing that is installed may remember where it was built.
file(GLOB_RECURSE texts "${PREFIX}/${LIBDIR}/pkgconfig/*" "${PREFIX}/${LIBDIR}/cmake/*")
foreach(file IN LISTS texts)
    file(READ "${file}" text)
    string(FIND "${text}" "${STAGE}" place)
    if(NOT place EQUAL -1)
        message(SEND_ERROR "${file} holds the path it was installed to")
    endif()
endforeach()
