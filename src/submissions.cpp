// What a batch asks for: each submission is taken, or refused with a record.
#include "loop.hpp"

#include <csploop/error.h>

#include <new>

namespace csploop {

// Takes all of them or, for lack of memory, none. Who is refused gets a record; where there is no room for that yet, it
// waits in refused_, and those behind it are refused, too, so that all stays in order.
void Loop::take(csploop_batch &batch) {
    const uint32_t count = batch.n_submissions;
    make_room(refused_, count);
    batch.n_submissions = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const csploop_submission &submission = batch.submissions[i];
        int code = CSPLOOP_ENOMEM;
        try {
            tell_refused();
            code = take_one(submission, batch);
        } catch (const std::bad_alloc &) {
        }
        if (code == 0)
            continue;
        // By-reference writes end with WRITTEN, the refused ones too.
        const bool reference = submission.op == CSPLOOP_OP_WRITE_REF;
        refused_.push_back(completion(reference ? CSPLOOP_KIND_WRITTEN : CSPLOOP_KIND_REJECTED, submission.id, nullptr,
                                      reinterpret_cast<void *>(submission.token), code, 0,
                                      reference ? uint16_t{0} : static_cast<uint16_t>(submission.op)));
    }
    try {
        tell_refused();
    } catch (const std::bad_alloc &) { // the turn tells before it waits, or the next one
    }
}

void Loop::tell_refused() {
    if (refused_.empty())
        return;
    make_room(completions_, refused_.size());
    completions_.insert(completions_.end(), refused_.begin(), refused_.end());
    refused_.clear();
}

int Loop::take_one(const csploop_submission &submission, const csploop_batch &batch) {
    const csploop_id id = submission.id;
    switch (submission.op) {
    case CSPLOOP_OP_WALL_TIMER_ADD:
        if (const int code = prepare_wall_alarm())
            return code;
        [[fallthrough]];
    case CSPLOOP_OP_TIMER_ADD:
        return timers_.arm_reserved(id, static_cast<int64_t>(submission.data), submission.token,
                                    submission.op == CSPLOOP_OP_WALL_TIMER_ADD);
    case CSPLOOP_OP_TIMER_CANCEL: {
        const int code = timers_.cancel(id);
        return code == CSPLOOP_EINVAL ? code : 0; // too late is no error
    }
    case CSPLOOP_OP_WRITE:
        if (submission.length > batch.out_slab_size || submission.data > batch.out_slab_size - submission.length)
            return CSPLOOP_EINVAL;
        return streams_.write_staged(id, static_cast<const uint8_t *>(batch.out_slab) + submission.data,
                                     submission.length);
    case CSPLOOP_OP_WRITE_REF:
        return streams_.write_reference(id, reinterpret_cast<const void *>(submission.data), submission.length, nullptr,
                                        submission.token);
    case CSPLOOP_OP_READ_START:
        if (id::kind(id) == IdKind::datagram)
            return datagrams().read_start(id);
        return streams_.read_start(id, submission.flags);
    case CSPLOOP_OP_READ_STOP:
        return id::kind(id) == IdKind::datagram ? datagrams().read_stop(id) : streams_.read_stop(id);
    case CSPLOOP_OP_SHUTDOWN:
        return streams_.shutdown(id);
    case CSPLOOP_OP_CLOSE:
        if (id::kind(id) == IdKind::datagram)
            return datagrams().close(id, submission.flags);
        return streams_.close(id, submission.flags);
    case CSPLOOP_OP_SEND: {
        const uint64_t length = uint64_t{submission.flags} + submission.length;
        if (submission.length > batch.out_slab_size || length > batch.out_slab_size ||
            submission.data > batch.out_slab_size - length)
            return CSPLOOP_EINVAL;
        return datagrams().send_staged(id, static_cast<const uint8_t *>(batch.out_slab) + submission.data,
                                       submission.flags, submission.length);
    }
    default:
        return CSPLOOP_EINVAL;
    }
}

} // namespace csploop
