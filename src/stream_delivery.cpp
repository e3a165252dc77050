// Between a stream's records and the host: which may still reach it, and what is held back until it may.
#include "stream_set.hpp"

#include <csploop/error.h>

#include <algorithm>
#include <cstring>

namespace csploop {

bool StreamSet::deliverable(Completion &item) {
    Stream *const stream = find(item.record.id);
    if (!stream) {
        drop_accepted(item.record);
        return false;
    }
    const uint16_t kind = item.record.kind;
    if (kind != CSPLOOP_KIND_WRITTEN) {
        // The handler may be another than when this completed, and what the old one used may be gone.
        item.fn = stream->fn;
        item.record.token = reinterpret_cast<uint64_t>(stream->arg);
    }
    if (kind == CSPLOOP_KIND_WRITTEN || kind == CSPLOOP_KIND_CLOSED)
        return true;
    if (stream->closing) {
        if (kind == CSPLOOP_KIND_ERROR && stream->drain_failed)
            return true; // bytes that close had promised to send are lost
        drop_accepted(item.record);
        return false;
    }
    if (stream->reading || stream->listener)
        return true;
    switch (kind) {
    case CSPLOOP_KIND_READ: {
        // In front: what is held already came after it.
        const uint8_t *const data = slab_.data() + item.record.offset;
        stream->held_data.insert(stream->held_data.begin(), data, data + item.record.result);
        return false;
    }
    case CSPLOOP_KIND_EOF:
        stream->held_end = CSPLOOP_KIND_EOF;
        return false;
    case CSPLOOP_KIND_READABLE: // the kernel will say so again
        return false;
    default:
        return true;
    }
}

void StreamSet::delivered(const csploop_record &record) {
    if (record.kind == CSPLOOP_KIND_CLOSED) {
        if (Stream *const stream = find(record.id)) {
            release_fd(*stream);
            streams_.erase(record.id);
        }
    } else if (record.kind == CSPLOOP_KIND_ACCEPT && record.result > 0) {
        if (Stream *const stream = find(static_cast<csploop_id>(record.result)))
            stream->announced = true;
    }
}

// A client that was accepted for a listener that is closing, or gone, goes unseen.
void StreamSet::drop_accepted(const csploop_record &record) {
    if (record.kind != CSPLOOP_KIND_ACCEPT || record.result <= 0)
        return;
    const auto client = static_cast<csploop_id>(record.result);
    if (Stream *const accepted = find(client)) {
        release_fd(*accepted);
        streams_.erase(client);
    }
}

void StreamSet::deliver_held() {
    if (held_.empty())
        return;
    make_room(completions_, held_.size()); // all of them or, for lack of memory, none yet
    size_t kept = 0;
    for (const csploop_id id : held_) {
        Stream *const stream = find(id);
        if (!stream)
            continue;
        stream->held_waiting = false;
        if (stream->closing || !stream->reading)
            continue;
        size_t length = 0;
        if (!stream->held_data.empty()) {
            if (stream->read_mode == CSPLOOP_READ_READY) {
                emit(*stream, CSPLOOP_KIND_READABLE, 0);
                length = 1;
            } else {
                length = std::min(slab_.share(), stream->held_data.size());
                if (length) {
                    std::memcpy(slab_.next(), stream->held_data.data(), length);
                    emit_read(*stream, length);
                    stream->held_data.erase(stream->held_data.begin(),
                                            stream->held_data.begin() + static_cast<std::ptrdiff_t>(length));
                }
            }
        }
        if (stream->held_data.empty() && length == 0 && stream->held_end) {
            emit(*stream, stream->held_end, 0);
            stream->held_end = 0;
        } else if (!stream->held_data.empty() || stream->held_end) {
            stream->held_waiting = true; // the rest comes with the next batch
            held_[kept++] = id;
        }
    }
    held_.resize(kept);
}

void StreamSet::deliver_owed() {
    if (!owing_)
        return;
    streams_.for_each([&](csploop_id, std::unique_ptr<Stream> &stream) {
        if (!stream->owes_error)
            return;
        make_room_for(*stream);
        stream->owes_error = false;
        tell_failure(*stream, CSPLOOP_ENOMEM);
    });
    owing_ = false;
}

} // namespace csploop
