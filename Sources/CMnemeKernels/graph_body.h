// One instance of the graph's functions, included by graph.c for each instruction set: TARGET is
// its attribute, NAME(x) names the functions, DOT(row, query, n, sum) multiplies codes (`sum` is
// that of the query's codes).
//
// The algorithm is Vamana's (DiskANN, Subramanya et al. 2019): one layer, a greedy search with a
// beam, and robust pruning of links.

/// Scores of records. Their lines are fetched AHEAD records early, as they lie anywhere in memory.
TARGET static void NAME(scores)(const uint8_t *records, size_t stride, size_t bytes, const int8_t *query, float scale, const uint32_t *ids,
                                size_t count, float *scores) {
    enum { AHEAD = 6 };
    int32_t sum = 0;
    for (size_t i = 0; i < bytes; i++) sum += query[i];
    (void)sum;
    for (size_t i = 0; i < count && i < AHEAD; i++)
        for (size_t b = 0; b <= bytes; b += 64) __builtin_prefetch(records + ids[i] * stride + b);
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            for (size_t b = 0; b <= bytes; b += 64) __builtin_prefetch(records + ids[i + AHEAD] * stride + b);
        const uint8_t *row = records + ids[i] * stride;
        scores[i] = scale * scale_of(row, bytes) * (float)DOT(row, query, bytes, sum);
    }
}

/// Greedy search. With `expansion`, also notes every record whose links were followed in
/// scratch->expanded and sets their number.
TARGET static size_t NAME(search)(const mnk_graph *g, const int8_t *query, float scale, size_t beam, const uint64_t *allowed, mnk_graph_scratch *s,
                                  size_t *expansion) {
    const uint32_t followed = 0x80000000u;
    const size_t bytes = mnk_code_bytes(g->dimension), limit = beam;
    float fresh[MNK_GATHERED];
    uint32_t detours[MNK_GATHERED];
    size_t size = 0, next = 0, noted = 0;
    if (expansion) *expansion = 0;
    if (g->entry >= g->count) return 0;
    memset(s->seen, 0, ((size_t)g->count + 63) / 64 * 8);
    s->gathered[0] = g->entry;
    mark(s->seen, g->entry);
    size_t gathered = 1;
    // Each round follows the best record that was not followed yet; the search ends when none of
    // the beam is left. The marks lie in the top bits of the ids.
    for (;;) {
        NAME(scores)(g->records, g->stride, bytes, query, scale, s->gathered, gathered, fresh);
        s->compared += gathered;
        // Each score is sorted in; `lowest` is the best place that changed, from which the walk
        // goes on.
        size_t lowest = limit;
        for (size_t i = 0; i < gathered; i++) {
            float score = fresh[i];
            if (size == limit && score <= s->scores[size - 1]) continue;
            size_t low = 0, high = size;
            while (low < high) {
                size_t middle = (low + high) / 2;
                if (s->scores[middle] >= score) low = middle + 1;
                else high = middle;
            }
            if (size < limit) size++;
            memmove(s->scores + low + 1, s->scores + low, (size - 1 - low) * sizeof(float));
            memmove(s->ids + low + 1, s->ids + low, (size - 1 - low) * sizeof(uint32_t));
            s->scores[low] = score;
            s->ids[low] = s->gathered[i];
            if (low < lowest) lowest = low;
        }
        if (lowest < next) next = lowest;
        while (next < size && s->ids[next] & followed) next++;
        if (next == size) break;
        uint32_t at = s->ids[next];
        s->ids[next] |= followed;
        if (expansion && noted < MNK_EXPANDED) {
            s->expanded[noted] = at;
            s->expanded_scores[noted++] = s->scores[next];
        }
        const uint32_t *links = ids_of(g, at);
        gathered = 0;
        if (!allowed) {
            for (size_t i = 0; i < g->degree; i++) {
                uint32_t id = load_id(links + i);
                if (id < g->count && !mark(s->seen, id)) s->gathered[gathered++] = id;
            }
        } else {
            // Who may not be returned is not compared: its own links are looked at instead, until
            // there are about as many new ones as a walk without a filter finds.
            size_t blocked = 0;
            for (size_t i = 0; i < g->degree; i++) {
                uint32_t id = load_id(links + i);
                if (id >= g->count || (s->seen[id / 64] >> (id & 63) & 1)) continue;
                if (!has_bit(allowed, id)) detours[blocked++] = id;
                else if (!mark(s->seen, id)) s->gathered[gathered++] = id;
            }
            for (size_t i = 0; i < blocked && gathered < g->degree / 4; i++) {
                mark(s->seen, detours[i]);
                const uint32_t *further = ids_of(g, detours[i]);
                for (size_t j = 0; j < g->degree && gathered < MNK_GATHERED; j++) {
                    uint32_t other = load_id(further + j);
                    if (other < g->count && has_bit(allowed, other) && !mark(s->seen, other)) s->gathered[gathered++] = other;
                }
            }
        }
    }
    for (size_t i = 0; i < size; i++) s->ids[i] &= ~followed;
    if (expansion) *expansion = noted;
    return size;
}

/// Keeps of `count` candidates, best first, at most `degree`: one is left out if it is nearer to
/// one already kept than to the record, by the factor alpha. Similarities are inner products of
/// unit vectors, distances 1 − similarity. Returns how many are kept, in place.
TARGET static size_t NAME(prune)(const mnk_graph *g, uint32_t *ids, float *scores, size_t count, size_t degree, float alpha) {
    const size_t bytes = mnk_code_bytes(g->dimension);
    enum { LIMIT = MNK_EXPANDED + 512 };
    uint8_t covered[LIMIT];
    int8_t query[bytes];
    float near[LIMIT];
    if (count > LIMIT) count = LIMIT;
    memset(covered, 0, count);
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < degree; i++) {
        if (covered[i]) continue;
        const uint8_t *row = g->records + ids[i] * g->stride;
        for (size_t b = 0; b < bytes; b++) query[b] = (int8_t)(row[b] ^ 0x80);
        // The candidates that nothing covers yet are compared with this one all at once.
        uint32_t rest[LIMIT];
        uint16_t place[LIMIT];
        size_t open = 0;
        for (size_t j = i + 1; j < count; j++)
            if (!covered[j]) { rest[open] = ids[j]; place[open++] = (uint16_t)j; }
        NAME(scores)(g->records, g->stride, bytes, query, scale_of(row, bytes), rest, open, near);
        // Covered: the way over this one is short enough.
        for (size_t j = 0; j < open; j++)
            if (alpha * (1 - near[j]) <= 1 - scores[place[j]]) covered[place[j]] = 1;
        ids[kept] = ids[i];
        scores[kept++] = scores[i];
    }
    return kept;
}

/// Sorts by score, best first.
TARGET static void NAME(order)(uint32_t *ids, float *scores, size_t count) {
    for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (size_t i = gap; i < count; i++) {
            float score = scores[i];
            uint32_t id = ids[i];
            size_t j = i;
            for (; j >= gap && scores[j - gap] < score; j -= gap) { scores[j] = scores[j - gap]; ids[j] = ids[j - gap]; }
            scores[j] = score;
            ids[j] = id;
        }
}

/// Replaces all links; the rest of the list is MNK_NONE. Under the record's lock.
TARGET static void NAME(set_links)(const mnk_graph *g, uint32_t slot, const uint32_t *ids, size_t count) {
    uint32_t *links = ids_of(g, slot);
    for (size_t i = 0; i < g->degree; i++) store_id(links + i, i < count ? ids[i] : MNK_NONE);
}

/// Scores of `slot` against others.
TARGET static void NAME(compare)(const mnk_graph *g, uint32_t slot, const uint32_t *ids, size_t count, float *scores) {
    const size_t bytes = mnk_code_bytes(g->dimension);
    int8_t query[bytes];
    const uint8_t *row = g->records + slot * g->stride;
    for (size_t b = 0; b < bytes; b++) query[b] = (int8_t)(row[b] ^ 0x80);
    NAME(scores)(g->records, g->stride, bytes, query, scale_of(row, bytes), ids, count, scores);
}

/// Adds a link from `slot` to `other`; a full list is thinned out.
TARGET static void NAME(add_link)(const mnk_graph *g, uint32_t slot, uint32_t other, float alpha) {
    uint32_t *links = ids_of(g, slot);
    lock(g, slot);
    size_t used = 0;
    uint32_t ids[512];
    for (size_t i = 0; i < g->degree && i < 511; i++) {
        uint32_t id = load_id(links + i);
        if (id == other) { unlock(g, slot); return; }
        if (id == MNK_NONE) { store_id(links + i, other); unlock(g, slot); return; }
        ids[used++] = id;
    }
    float scores[512];
    ids[used++] = other;
    NAME(compare)(g, slot, ids, used, scores);
    NAME(order)(ids, scores, used);
    // Room is left, so that the next ones need no thinning.
    size_t kept = NAME(prune)(g, ids, scores, used, g->degree - g->degree / 6, alpha);
    NAME(set_links)(g, slot, ids, kept);
    unlock(g, slot);
}

/// Searches for the record, keeps the best of what the search went through as links, and links
/// back. Complexity: one search, and a pruning for each link back whose list is full.
TARGET static void NAME(insert)(const mnk_graph *g, uint32_t slot, size_t beam, float alpha, mnk_graph_scratch *s) {
    const size_t bytes = mnk_code_bytes(g->dimension);
    int8_t query[bytes];
    const uint8_t *row = g->records + slot * g->stride;
    for (size_t b = 0; b < bytes; b++) query[b] = (int8_t)(row[b] ^ 0x80);
    size_t expanded = 0;
    NAME(search)(g, query, scale_of(row, bytes), beam, NULL, s, &expanded);
    size_t count = 0, live = 0;
    for (size_t i = 0; i < expanded; i++) live += s->expanded[i] != slot && !has_bit(g->dead, s->expanded[i]);
    // The dead lead on too, until they are mended around.
    for (size_t i = 0; i < expanded; i++)
        if (s->expanded[i] != slot && (live < 8 || !has_bit(g->dead, s->expanded[i]))) {
            s->expanded[count] = s->expanded[i];
            s->expanded_scores[count++] = s->expanded_scores[i];
        }
    NAME(order)(s->expanded, s->expanded_scores, count);
    count = NAME(prune)(g, s->expanded, s->expanded_scores, count, g->degree - g->degree / 6, alpha);
    lock(g, slot);
    NAME(set_links)(g, slot, s->expanded, count);
    unlock(g, slot);
    for (size_t i = 0; i < count; i++) NAME(add_link)(g, s->expanded[i], slot, alpha);
}

/// Takes the links of dead neighbours for one's own candidates, and prunes (FreshDiskANN, Singh et
/// al. 2021).
TARGET static int NAME(repair)(const mnk_graph *g, uint32_t slot, float alpha, mnk_graph_scratch *s) {
    uint32_t *links = ids_of(g, slot);
    lock(g, slot);
    size_t live = 0, dead = 0;
    uint32_t broken[512];
    for (size_t i = 0; i < g->degree && i < 512; i++) {
        uint32_t id = load_id(links + i);
        if (id >= g->count) continue;
        if (has_bit(g->dead, id)) broken[dead++] = id;
        else s->expanded[live++] = id;
    }
    for (size_t i = 0; i < dead; i++) {
        const uint32_t *further = ids_of(g, broken[i]);
        for (size_t j = 0; j < g->degree && live < MNK_EXPANDED; j++) {
            uint32_t id = load_id(further + j);
            if (id >= g->count || id == slot || has_bit(g->dead, id)) continue;
            size_t k = 0;
            while (k < live && s->expanded[k] != id) k++;
            if (k == live) s->expanded[live++] = id;
        }
    }
    if (dead) {
        NAME(compare)(g, slot, s->expanded, live, s->expanded_scores);
        NAME(order)(s->expanded, s->expanded_scores, live);
        live = NAME(prune)(g, s->expanded, s->expanded_scores, live, g->degree - g->degree / 6, alpha);
        NAME(set_links)(g, slot, s->expanded, live);
    }
    unlock(g, slot);
    return dead ? (int)live : -1;
}
