// What tells an open file from another that has got its number.
//
// Somebody closes a descriptor that was given to us, somebody else opens one and
// gets the number. Whoever is about to use a number that he was given asks here
// whether it still is that file. It costs one fstat. (The system's own anonymous
// files, an eventfd for example, all look the same. Nobody writes to those for us.)
#pragma once

#include <sys/stat.h>

namespace csploop {

class OpenFile {
public:
    OpenFile() = default;
    // Nobody's, if fd is not open.
    explicit OpenFile(int fd) {
        struct stat status {};
        if (::fstat(fd, &status) < 0)
            return;
        known_ = true;
        device_ = status.st_dev;
        inode_ = status.st_ino;
    }
    bool is_at(int fd) const {
        const OpenFile other(fd);
        return known_ && other.known_ && device_ == other.device_ && inode_ == other.inode_;
    }

private:
    dev_t device_{};
    ino_t inode_{};
    bool known_ = false;
};

} // namespace csploop
