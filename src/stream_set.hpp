// All streams and listeners of one loop: our own non-blocking socket I/O.
//
// Everything here runs on the loop's thread. Completions go to the loop's
// list; nothing here calls the host.
#pragma once

#include "blocks.hpp"
#include "completions.hpp"
#include "fd_set.hpp"
#include "ids.hpp"
#include "poller.hpp"
#include "slab.hpp"
#include "socket.hpp"
#include "stream.hpp"

#include <csploop/stream.h>

#include <memory>
#include <string>
#include <vector>

namespace csploop {

class StreamSet {
public:
    StreamSet(Poller &poller, FdSet &fds, Completions &completions, size_t slab_bytes);
    StreamSet(const StreamSet &) = delete;
    StreamSet &operator=(const StreamSet &) = delete;

    // -- opening (opening.cpp) ---------------------------------------------------
    int listen(csploop_id *out, const sys::Address &address, const csploop_stream_options &options, csploop_fn fn,
               void *arg);
    int adopt_listener(csploop_id *out, int fd, const csploop_stream_options &options, csploop_fn fn, void *arg);
    int connect(csploop_id *out, const sys::Address &address, const csploop_stream_options &options, csploop_fn fn,
                void *arg);
    int adopt(csploop_id *out, int fd, const csploop_stream_options &options, csploop_fn fn, void *arg);

    // -- what the host asks (stream_set.cpp) -----------------------------------------
    Stream *find(csploop_id id) {
        auto *const entry = streams_.find(id);
        return entry ? entry->get() : nullptr;
    }
    int set_handler(csploop_id id, csploop_fn fn, void *arg);
    int accepting(csploop_id id, bool on);
    int read_start(csploop_id id, uint32_t mode);
    int read_stop(csploop_id id);
    int64_t read_into(csploop_id id, void *buffer, size_t length);
    int write_copied(csploop_id id, const void *data, size_t length);
    int write_staged(csploop_id id, const void *data, size_t length);
    int write_reference(csploop_id id, const void *data, size_t length, csploop_fn fn, uint64_t token);
    int64_t flush_now(csploop_id id);
    int shutdown(csploop_id id);
    int close(csploop_id id, uint32_t flags);

    // -- what the turn asks (stream_io.cpp) ---------------------------------------------
    void begin_batch() {
        slab_.reset();
        ++turn_;
    }
    void on_ready(csploop_id id, uint32_t events);
    // Nothing stays staged. A stream for which memory lacks breaks, with ENOMEM; the others go on.
    void flush_dirty();
    bool has_unsent() const { return !dirty_.empty(); }
    bool has_held() const { return !held_.empty() || owing_; }
    size_t dirty_count() const { return dirty_.size(); }

    // -- delivery (stream_delivery.cpp) ---------------------------------------------------
    // What was held back and may go out now.
    void deliver_held();
    // Tells of streams that broke when there was no memory even for that.
    void deliver_owed();
    // Whether this record may still reach the host; if not, it has been dealt with.
    // It goes to whom the stream is with now.
    bool deliverable(Completion &item);
    // It has reached the host.
    void delivered(const csploop_record &record);

    void close_all();
    Slab &slab() { return slab_; }
    const Slab &slab() const { return slab_; }
    size_t heap_bytes();
    size_t live() const { return streams_.live(); }

private:
    static constexpr size_t most_per_flush = 4 << 20; // so that one fast reader cannot hold the loop
    static constexpr int most_parts = 64;

    // Whatever one call does to this stream, its records fit then. Comes before the first thing that cannot be undone.
    void make_room_for(const Stream &stream) { make_room(completions_, stream.unsent.references() + 4); }
    void emit(const Stream &stream, uint16_t kind, int64_t result, uint32_t offset = 0);
    int insert(csploop_id *out, std::unique_ptr<Stream> stream);
    int watch(Stream &stream, uint32_t events);
    int update_watch(Stream &stream);
    void release_fd(Stream &stream);
    bool has_lost_fd(Stream &stream) { return stream.trust.is_due() && !fds_.holds(stream.fd, stream.id); }
    void mark_dirty(Stream &stream);
    int check_writable(Stream *stream) const;
    bool sendable(const Stream &stream) const { return !stream.blocked && !stream.connecting; }
    void flush(Stream &stream);
    void flush_for_sure(Stream &stream);
    void fail(Stream &stream, int code);
    void tell_failure(Stream &stream, int code);
    void finish_close(Stream &stream);
    void finish_connect(Stream &stream);
    void finish_shutdown(Stream &stream);
    void read(Stream &stream);
    void emit_read(Stream &stream, size_t length);
    void accept(Stream &listener);
    void stop_accepting(Stream &listener, int code);
    void end_of_file(Stream &stream);
    void drop_accepted(const csploop_record &record);

    Poller &poller_;
    FdSet &fds_;
    Completions &completions_;
    Slab slab_;
    BlockPool pool_;
    SlotTable<std::unique_ptr<Stream>, IdKind::stream> streams_;
    uint32_t turn_ = 0;
    std::vector<csploop_id> dirty_;
    std::vector<csploop_id> flushing_; // dirty_'s spare
    std::vector<csploop_id> held_;
    bool owing_ = false; // a stream owes its error
};

} // namespace csploop
