// What tells an open file from another that has got its number.
//
// Somebody closes a descriptor that was given to us, somebody else opens one and
// gets the number. Whoever is about to use a number that he was given asks here
// whether it still is that file. It costs one fstat.
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
        // No type: an eventfd, a timerfd or another of those that share one inode.
        alike_ = (status.st_mode & S_IFMT) == 0;
    }
    bool is_at(int fd) const {
        const OpenFile other(fd);
        return known_ && other.known_ && device_ == other.device_ && inode_ == other.inode_;
    }
    // Whether others look the same, so that is_at proves nothing.
    bool is_one_of_many() const { return alike_; }

private:
    dev_t device_{};
    ino_t inode_{};
    bool known_ = false;
    bool alike_ = false;
};

} // namespace csploop
