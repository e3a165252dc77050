// Which descriptors the process has open, where the system tells.
#pragma once

#include <cstdlib>
#include <dirent.h>
#include <map>
#include <string>
#include <unistd.h>

namespace csploop_test {

// Descriptor -> what it is. Empty on systems without /proc.
inline std::map<int, std::string> open_fds() {
    std::map<int, std::string> fds;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return fds;
    while (const dirent *entry = readdir(directory)) {
        const int fd = std::atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(directory))
            continue;
        char target[256] = "";
        const std::string link = std::string("/proc/self/fd/") + entry->d_name;
        const ssize_t length = readlink(link.c_str(), target, sizeof target - 1);
        fds.emplace(fd, std::string(target, length > 0 ? static_cast<size_t>(length) : 0));
    }
    closedir(directory);
    return fds;
}

} // namespace csploop_test
