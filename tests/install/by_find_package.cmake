# Builds and runs the C and the C++ program through find_package(csploop).
set(build "${WORK}/find_package")
file(REMOVE_RECURSE "${build}")
execute_process(
    COMMAND
        "${CMAKE_COMMAND}" -S "${CONSUMER}" -B "${build}" -G "${GENERATOR}" "-DCMAKE_PREFIX_PATH=${PREFIX}"
        "-DCMAKE_C_COMPILER=${CC}" "-DCMAKE_CXX_COMPILER=${CXX}" "-DWANTED_VERSION=${VERSION}"
    OUTPUT_QUIET
    COMMAND_ERROR_IS_FATAL ANY
)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${build}" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
foreach(program IN ITEMS consumer_c consumer_cpp)
    execute_process(COMMAND "${build}/${program}" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
    if(NOT output MATCHES "csploop ${VERSION}")
        message(FATAL_ERROR "${program} printed: ${output}")
    endif()
endforeach()
