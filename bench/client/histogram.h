/* histogram.h - counts durations in buckets 1/16 of a power of two wide.
 *
 * A percentile is thus at most 6 % off, and recording costs a few instructions:
 * keeping every sample would let the client's own caches disturb the figures.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 4, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
};

static inline unsigned histogram_bucket(uint64_t ns) {
    if (ns < (1u << HISTOGRAM_SUB_BITS))
        return (unsigned)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    unsigned bucket =
        ((shift + 1u) << HISTOGRAM_SUB_BITS) + (unsigned)((ns >> shift) & ((1u << HISTOGRAM_SUB_BITS) - 1u));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket, in ns. */
static inline double histogram_value(unsigned bucket) {
    if (bucket < (1u << HISTOGRAM_SUB_BITS))
        return (double)bucket;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1u;
    uint64_t low = ((1ull << HISTOGRAM_SUB_BITS) + (bucket & ((1u << HISTOGRAM_SUB_BITS) - 1u))) << shift;
    return (double)low + (double)(1ull << shift) / 2.0;
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns) {
    histogram->counts[histogram_bucket(ns)]++;
    histogram->total++;
}

/* part: 0.5 is the median. */
static inline double histogram_percentile(const struct histogram *histogram, double part) {
    uint64_t wanted = (uint64_t)((double)histogram->total * part), seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > wanted)
            return histogram_value(bucket);
    }
    return 0.0;
}

#endif
