/* Peers lie in one table that is searched from end to end: what happens to it is as rare as
 * connections and signatures are.  When something is due next is remembered between changes. */
#include "p2p/book.h"

#include "base/rand.h"
#include "p2p/book_priv.h"

enum { FAILURES_HOPELESS = 8 };

usize kl_book_footprint(void)
{
    return sizeof(struct kl_book);
}

struct kl_book *kl_book_init(void *room, const kl_book_config *config)
{
    struct kl_book *book = room;
    book->config = *config;
    book->random = config->seed;
    book->due_ns = UINT64_MAX;
    book->count = book->friends = book->doors = 0;
    memset(book->entries, 0, sizeof book->entries);
    return book;
}

struct kl_book_entry *kl_book_entry_of(const struct kl_book *book, const kl_peer_id *peer)
{
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        const struct kl_book_entry *e = &book->entries[i];
        if (e->used && kl_peer_id_eq(&e->id, peer))
            return (struct kl_book_entry *)(uintptr_t)e;
    }
    return NULL;
}

static kl_multiaddr *addrs_of(struct kl_book *book, const struct kl_book_entry *e)
{
    return book->addrs[e - book->entries];
}

/* --- room for strangers --- */

/* Strangers whom we have never reached: what the caps are about. */
static bool is_unmet(const struct kl_book_entry *e)
{
    return e->used && !e->is_friend && !e->reached_s;
}

static u32 unmet_of(const struct kl_book *book, const kl_peer_id *source)
{
    u32 count = 0;
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++)
        count += is_unmet(&book->entries[i]) && kl_peer_id_eq(&book->entries[i].source, source);
    return count;
}

static bool is_worse(const struct kl_book_entry *a, const struct kl_book_entry *b)
{
    return a->failures != b->failures ? a->failures > b->failures : a->told_ns < b->told_ns;
}

/* The worst of a source's unmet strangers that may go. */
static struct kl_book_entry *worst_of(struct kl_book *book, const kl_peer_id *source)
{
    struct kl_book_entry *worst = NULL;
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        struct kl_book_entry *e = &book->entries[i];
        if (is_unmet(e) && kl_book_may_go(e) && kl_peer_id_eq(&e->source, source) &&
            (!worst || is_worse(e, worst)))
            worst = e;
    }
    return worst;
}

/* Whoever is to go when the book is full: of the unmet, the worst of a source drawn by lot, so that
 * those who told most lose most; else one whom nobody reaches any more.  NULL: all the others are
 * better than somebody unknown. */
static struct kl_book_entry *victim(struct kl_book *book)
{
    struct kl_book_entry *out = NULL;
    u64 lots = 0;
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        struct kl_book_entry *e = &book->entries[i];
        if (is_unmet(e) && kl_book_may_go(e) && kl_rand_below(&book->random, ++lots) == 0)
            out = e;
    }
    if (out)
        return worst_of(book, &out->source);
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        struct kl_book_entry *e = &book->entries[i];
        if (kl_book_may_go(e) && e->failures >= FAILURES_HOPELESS &&
            (!out || e->reached_s < out->reached_s))
            out = e;
    }
    return out;
}

void kl_book_forget(struct kl_book *book, struct kl_book_entry *e)
{
    KL_ASSERT(e->used && !e->is_friend);
    *e = (struct kl_book_entry){.used = false};
    book->count--;
}

struct kl_book_entry *kl_book_add(struct kl_book *book, const kl_peer_id *peer,
                                  const kl_peer_id *source, u64 now_ns)
{
    struct kl_book_entry *e = NULL;
    if (book->count == KL_BOOK_PEERS_MAX) {
        e = victim(book);
        if (!e)
            return NULL;
        kl_book_forget(book, e);
    }
    for (usize i = 0; i < KL_BOOK_PEERS_MAX && !e; i++)
        if (!book->entries[i].used)
            e = &book->entries[i];
    KL_ASSERT(e);
    *e = (struct kl_book_entry){
        .used = true, .id = *peer, .source = *source, .told_ns = now_ns, .due_ns = now_ns};
    book->count++;
    kl_book_changed(book);
    return e;
}

/* --- addresses --- */

static bool has_addr(struct kl_book *book, const struct kl_book_entry *e, const kl_multiaddr *addr)
{
    for (usize i = 0; i < e->count; i++)
        if (kl_multiaddr_same_place(&addrs_of(book, e)[i], addr))
            return true;
    return false;
}

static void add_addr(struct kl_book *book, struct kl_book_entry *e, const kl_multiaddr *addr)
{
    kl_multiaddr where = *addr;
    where.has_peer = false;
    if (e->count < KL_BOOK_ADDRS_MAX && where.has_port && where.port &&
        kl_reach_of(&where) != KL_REACH_NOWHERE && !has_addr(book, e, &where))
        addrs_of(book, e)[e->count++] = where;
}

static usize network_bytes(const kl_multiaddr *addr)
{
    return addr->host == KL_HOST_IP4 ? 3 : addr->host == KL_HOST_IP6 ? 6 : 0;
}

static bool same_network(const kl_multiaddr *a, const kl_multiaddr *b)
{
    usize bytes = network_bytes(a);
    if (bytes != network_bytes(b))
        return false;
    return bytes ? memcmp(a->ip, b->ip, bytes) == 0
                 : kl_span_eq(kl_span_of(a->name, a->name_len), kl_span_of(b->name, b->name_len));
}

static bool is_crowded(struct kl_book *book, const kl_peer_id *peer, const kl_multiaddr *addr)
{
    u32 count = 0;
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        const struct kl_book_entry *e = &book->entries[i];
        bool there = false;
        if (!is_unmet(e) || kl_peer_id_eq(&e->id, peer))
            continue;
        for (usize j = 0; j < e->count && !there; j++)
            there = same_network(&book->addrs[i][j], addr);
        count += there;
    }
    return count >= KL_BOOK_NETWORK_MAX;
}

/* The addresses of a stranger's record that are believed. */
static usize believed(struct kl_book *book, const kl_peer_record *record,
                      kl_multiaddr out[KL_BOOK_ADDRS_MAX])
{
    usize count = 0;
    for (usize i = 0; i < record->count; i++) {
        const kl_multiaddr *addr = &record->addrs[i];
        if (!addr->has_port || !addr->port || !kl_reach_admits(book->config.reach, addr))
            continue;
        if (kl_reach_of(addr) == KL_REACH_WORLD && is_crowded(book, &record->peer, addr))
            continue;
        out[count++] = *addr;
    }
    return count;
}

/* The fixed addresses stay; what is dialled next stays the same where it is still there. */
static void replace(struct kl_book *book, struct kl_book_entry *e, const kl_peer_record *record,
                    const kl_multiaddr *addrs, usize count, u64 now_ns)
{
    e->count = e->fixed;
    for (usize i = 0; i < count; i++)
        add_addr(book, e, &addrs[i]);
    e->turn = e->count > e->fixed ? e->fixed : 0;
    e->seq = record->seq;
    e->told_ns = now_ns;
    kl_book_changed(book);
}

static bool same_addrs(struct kl_book *book, const struct kl_book_entry *e,
                       const kl_multiaddr *addrs, usize count)
{
    for (usize i = 0; i < count; i++)
        if (!has_addr(book, e, &addrs[i]))
            return false;
    return count + e->fixed >= e->count;
}

/* A record of a peer that the book has. */
static bool renew(struct kl_book *book, struct kl_book_entry *e, const kl_peer_record *record,
                  u64 now_ns)
{
    kl_multiaddr addrs[KL_BOOK_ADDRS_MAX];
    const kl_multiaddr *list = addrs;
    usize count = record->count;
    if (e->count > e->fixed && record->seq <= e->seq && e->seq)
        return false;
    if (e->is_friend)
        list = record->addrs;
    else
        count = believed(book, record, addrs);
    if (!count)
        return false;
    if (same_addrs(book, e, list, count))
        e->seq = record->seq;
    else
        replace(book, e, record, list, count, now_ns);
    return true;
}

/* Somebody new: when its source has told enough, in place of the worst that it told. */
static bool admit(struct kl_book *book, const kl_peer_id *source, const kl_peer_record *record,
                  u64 now_ns)
{
    kl_multiaddr addrs[KL_BOOK_ADDRS_MAX];
    usize count = believed(book, record, addrs);
    if (book->config.closed || !count)
        return false;
    if (unmet_of(book, source) >= KL_BOOK_SOURCE_MAX) {
        struct kl_book_entry *worst = worst_of(book, source);
        if (!worst)
            return false;
        kl_book_forget(book, worst);
    }
    struct kl_book_entry *e = kl_book_add(book, &record->peer, source, now_ns);
    if (!e)
        return false;
    replace(book, e, record, addrs, count, now_ns);
    return true;
}

bool kl_book_tell(struct kl_book *book, const kl_peer_id *source, const kl_peer_record *record,
                  u64 now_ns)
{
    KL_ASSERT(record->seq || kl_peer_id_eq(source, &record->peer));
    if (kl_peer_id_eq(&record->peer, &book->config.self))
        return false;
    struct kl_book_entry *e = kl_book_entry_of(book, &record->peer);
    return e ? renew(book, e, record, now_ns) : admit(book, source, record, now_ns);
}

bool kl_book_recall(struct kl_book *book, const kl_peer_id *source, const kl_peer_record *record,
                    u64 reached_s, u64 now_ns)
{
    struct kl_book_entry *e = kl_book_entry_of(book, &record->peer);
    if (kl_peer_id_eq(&record->peer, &book->config.self) || (e && e->count > e->fixed))
        return false;
    if (!(e ? renew(book, e, record, now_ns) : admit(book, source, record, now_ns)))
        return false;
    kl_book_entry_of(book, &record->peer)->reached_s = reached_s;
    return true;
}

/* --- friends and doors --- */

kl_status kl_book_befriend(struct kl_book *book, const kl_peer_id *peer, const kl_multiaddr *addrs,
                           usize count, u64 now_ns)
{
    if (kl_peer_id_eq(peer, &book->config.self))
        return KL_OK;
    struct kl_book_entry *e = kl_book_entry_of(book, peer);
    if (!e || !e->is_friend) {
        if (book->friends == KL_BOOK_FRIENDS_MAX)
            return KL_LIMIT;
        e = e ? e : kl_book_add(book, peer, peer, now_ns);
        if (!e)
            return KL_LIMIT;
        e->is_friend = true;
        book->friends++;
    }
    for (usize i = 0; i < count && e->fixed < KL_BOOK_FIXED_MAX; i++) {
        kl_multiaddr *list = addrs_of(book, e), where = addrs[i];
        where.has_peer = false;
        if (has_addr(book, e, &where) || !where.has_port || !where.port)
            continue;
        if (e->count < KL_BOOK_ADDRS_MAX)
            e->count++;
        memmove(&list[e->fixed + 1], &list[e->fixed], (e->count - e->fixed - 1u) * sizeof *list);
        list[e->fixed++] = where;
    }
    kl_book_changed(book);
    return KL_OK;
}

void kl_book_unfriend(struct kl_book *book, const kl_peer_id *peer)
{
    struct kl_book_entry *e = kl_book_entry_of(book, peer);
    if (!e || !e->is_friend)
        return;
    e->is_friend = false;
    e->fixed = 0;
    book->friends--;
    if (kl_book_may_go(e) && (book->config.closed || !e->count))
        kl_book_forget(book, e);
    kl_book_changed(book);
}

bool kl_book_is_friend(const struct kl_book *book, const kl_peer_id *peer)
{
    const struct kl_book_entry *e = kl_book_entry_of(book, peer);
    return e && e->is_friend;
}

kl_status kl_book_door(struct kl_book *book, const kl_multiaddr *addr, u64 now_ns)
{
    for (u32 i = 0; i < book->doors; i++)
        if (kl_multiaddr_eq(&book->door[i].addr, addr))
            return KL_OK;
    if (book->doors == KL_BOOK_DOORS_MAX)
        return KL_LIMIT;
    book->door[book->doors++] = (struct kl_book_door){.addr = *addr, .due_ns = now_ns};
    kl_book_changed(book);
    return KL_OK;
}

bool kl_book_find(const struct kl_book *book, const kl_peer_id *peer, kl_book_peer *out)
{
    const struct kl_book_entry *e = kl_book_entry_of(book, peer);
    if (!e)
        return false;
    *out = (kl_book_peer){.is_friend = e->is_friend, .is_met = e->is_met, .count = e->count};
    memcpy(out->addrs, book->addrs[e - book->entries], e->count * sizeof *out->addrs);
    return true;
}

u32 kl_book_count(const struct kl_book *book)
{
    return book->count;
}
