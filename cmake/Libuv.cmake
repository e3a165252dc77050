# Gives csploop_libuv, an interface target that stands for libuv 1.44 or newer,
# and CSPLOOP_LIBUV_FROM, a word for the summary.
set(CSPLOOP_LIBUV_MINIMUM 1.44)
add_library(csploop_libuv INTERFACE)

if(CSPLOOP_BUNDLED_LIBUV)
    # FETCHCONTENT_SOURCE_DIR_LIBUV names an unpacked source to use instead of the download.
    include(FetchContent)
    # Populating by hand is deprecated since CMake 3.30, but what replaces it
    # (EXCLUDE_FROM_ALL in the declaration) came with 3.28.
    foreach(policy_and_choice IN ITEMS "CMP0135;NEW" "CMP0169;OLD")
        list(GET policy_and_choice 0 policy)
        list(GET policy_and_choice 1 choice)
        if(POLICY ${policy})
            cmake_policy(SET ${policy} ${choice})
        endif()
    endforeach()
    FetchContent_Declare(
        libuv
        URL https://github.com/libuv/libuv/archive/refs/tags/v1.48.0.tar.gz
        URL_HASH SHA256=8c253adb0f800926a6cbd1c6576abae0bc8eb86a4f891049b72f9e5b7dc58f33
    )
    set(LIBUV_BUILD_SHARED OFF CACHE BOOL "" FORCE)
    set(LIBUV_BUILD_TESTS OFF CACHE BOOL "" FORCE)
    set(LIBUV_BUILD_BENCH OFF CACHE BOOL "" FORCE)
    # Not MakeAvailable: it would install libuv's headers and libraries with ours.
    FetchContent_GetProperties(libuv)
    if(NOT libuv_POPULATED)
        FetchContent_Populate(libuv)
        add_subdirectory("${libuv_SOURCE_DIR}" "${libuv_BINARY_DIR}" EXCLUDE_FROM_ALL)
    endif()
    set_target_properties(uv_a PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_link_libraries(csploop_libuv INTERFACE uv_a)
    file(STRINGS "${libuv_SOURCE_DIR}/include/uv/version.h" numbers REGEX "define UV_VERSION_(MAJOR|MINOR|PATCH) ")
    string(REGEX REPLACE "[^0-9;]" "" numbers "${numbers}")
    string(REPLACE ";" "." libuv_version "${numbers}")
    set(CSPLOOP_LIBUV_FROM "${libuv_version}, bundled")
    return()
endif()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(LIBUV QUIET IMPORTED_TARGET "libuv>=${CSPLOOP_LIBUV_MINIMUM}")
endif()
if(LIBUV_FOUND)
    target_link_libraries(csploop_libuv INTERFACE PkgConfig::LIBUV)
    set(CSPLOOP_LIBUV_FROM "${LIBUV_VERSION}, by pkg-config")
else()
    find_package(libuv ${CSPLOOP_LIBUV_MINIMUM} CONFIG QUIET)
    if(TARGET libuv::uv)
        target_link_libraries(csploop_libuv INTERFACE libuv::uv)
    elseif(TARGET uv)
        target_link_libraries(csploop_libuv INTERFACE uv)
    else()
        message(
            FATAL_ERROR
            "libuv ${CSPLOOP_LIBUV_MINIMUM} or newer was not found, neither by pkg-config nor as a CMake package. "
            "Install it (Debian: libuv1-dev and pkg-config) or pass -DCSPLOOP_BUNDLED_LIBUV=ON to fetch one."
        )
    endif()
    set(CSPLOOP_LIBUV_FROM "${libuv_VERSION}, its CMake package")
endif()
