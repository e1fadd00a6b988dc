/* Doors first; then strangers, by lot. */
#include "base/rand.h"
#include "p2p/book_priv.h"

static u64 pause_ns(struct kl_book *book, u32 failures)
{
    u64 pause = KL_BOOK_PAUSE_NS;
    for (u32 i = 1; i < failures && pause < KL_BOOK_PAUSE_MAX_NS; i++)
        pause *= 2;
    pause = KL_MIN(pause, KL_BOOK_PAUSE_MAX_NS);
    return pause - kl_rand_below(&book->random, pause / 4 + 1);
}

static bool is_idle(const struct kl_book_entry *e)
{
    return kl_book_may_go(e) && e->count;
}

static bool wants_strangers(const struct kl_book *book)
{
    u32 there = 0;
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        const struct kl_book_entry *e = &book->entries[i];
        there += e->used && !e->is_friend && (e->dial_ns || (e->is_met && e->is_outbound));
    }
    return there < book->config.outbound;
}

u64 kl_book_due_ns(struct kl_book *book)
{
    if (book->due_ns)
        return book->due_ns;
    u64 due_ns = UINT64_MAX;
    bool strangers = wants_strangers(book);
    for (u32 i = 0; i < book->doors; i++) {
        const struct kl_book_door *door = &book->door[i];
        if (!door->is_met)
            due_ns = KL_MIN(due_ns, door->dial_ns ? door->dial_ns : door->due_ns);
    }
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        const struct kl_book_entry *e = &book->entries[i];
        if (e->used && e->dial_ns)
            due_ns = KL_MIN(due_ns, e->dial_ns);
        if (strangers && is_idle(e))
            due_ns = KL_MIN(due_ns, e->due_ns);
    }
    book->due_ns = KL_MAX(due_ns, 1u);
    return book->due_ns;
}

/* --- what came of dials --- */

static void fail_door(struct kl_book *book, struct kl_book_door *door, u64 now_ns)
{
    door->dial_ns = 0;
    door->failures++;
    door->due_ns = now_ns + pause_ns(book, door->failures);
}

static void fail(struct kl_book *book, struct kl_book_entry *e, u64 now_ns)
{
    e->dial_ns = 0;
    e->turn++;
    if (e->is_met)
        return;
    e->failures++;
    e->due_ns = KL_MAX(e->due_ns, now_ns + pause_ns(book, e->failures));
}

/* Dials of which nothing was heard. */
static void give_up(struct kl_book *book, u64 now_ns)
{
    for (u32 i = 0; i < book->doors; i++)
        if (book->door[i].dial_ns && book->door[i].dial_ns <= now_ns)
            fail_door(book, &book->door[i], now_ns);
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        struct kl_book_entry *e = &book->entries[i];
        if (e->used && e->dial_ns && e->dial_ns <= now_ns)
            fail(book, e, now_ns);
    }
}

void kl_book_tried(struct kl_book *book, const kl_peer_id *peer, const kl_multiaddr *addr,
                   bool good, u64 now_ns, u64 wall_s)
{
    struct kl_book_entry *e = peer ? kl_book_entry_of(book, peer) : NULL;
    kl_book_changed(book);
    for (u32 i = 0; i < book->doors; i++) {
        struct kl_book_door *door = &book->door[i];
        if (!kl_multiaddr_same_place(&door->addr, addr) || (!door->dial_ns && !good))
            continue;
        if (good) {
            door->dial_ns = 0;
            door->is_met = true;
            door->met_ns = now_ns;
            door->peer = *peer;
        } else {
            fail_door(book, door, now_ns);
        }
    }
    if (!e)
        return;
    if (good) {
        e->dial_ns = 0;
        e->reached_s = KL_MAX(wall_s, 1u);
    } else {
        fail(book, e, now_ns);
    }
}

void kl_book_met(struct kl_book *book, const kl_peer_id *peer, bool is_outbound, u64 now_ns)
{
    struct kl_book_entry *e = kl_book_entry_of(book, peer);
    kl_book_changed(book);
    if (kl_peer_id_eq(peer, &book->config.self))
        return;
    if (!e && !book->config.closed)
        e = kl_book_add(book, peer, peer, now_ns);
    if (!e)
        return;
    e->is_met = true;
    e->is_outbound = is_outbound;
    e->met_ns = now_ns;
}

void kl_book_lost(struct kl_book *book, const kl_peer_id *peer, u64 now_ns)
{
    struct kl_book_entry *e = kl_book_entry_of(book, peer);
    kl_book_changed(book);
    for (u32 i = 0; i < book->doors; i++) {
        struct kl_book_door *door = &book->door[i];
        if (!door->is_met || !kl_peer_id_eq(&door->peer, peer))
            continue;
        door->is_met = false;
        door->failures = now_ns - door->met_ns >= KL_BOOK_STAYED_NS ? 1 : door->failures + 1;
        door->due_ns = now_ns + pause_ns(book, door->failures);
    }
    if (!e || !e->is_met)
        return;
    e->is_met = e->is_outbound = false;
    e->failures = now_ns - e->met_ns >= KL_BOOK_STAYED_NS ? 1 : e->failures + 1;
    e->due_ns = KL_MAX(e->due_ns, now_ns + pause_ns(book, e->failures));
    if (kl_book_may_go(e) && !e->count)
        kl_book_forget(book, e);
}

void kl_book_shun(struct kl_book *book, const kl_peer_id *peer, u64 until_ns)
{
    struct kl_book_entry *e = kl_book_entry_of(book, peer);
    kl_book_changed(book);
    if (e && !e->is_friend)
        e->due_ns = KL_MAX(e->due_ns, until_ns);
}

/* --- whom to dial --- */

static struct kl_book_door *next_door(struct kl_book *book, u64 now_ns)
{
    for (u32 i = 0; i < book->doors; i++) {
        struct kl_book_door *door = &book->door[i];
        if (!door->is_met && !door->dial_ns && door->due_ns <= now_ns)
            return door;
    }
    return NULL;
}

/* Who was reached before has four lots. */
static struct kl_book_entry *next_stranger(struct kl_book *book, u64 now_ns)
{
    struct kl_book_entry *chosen = NULL;
    u64 lots = 0;
    if (!wants_strangers(book))
        return NULL;
    for (usize i = 0; i < KL_BOOK_PEERS_MAX; i++) {
        struct kl_book_entry *e = &book->entries[i];
        if (!is_idle(e) || e->due_ns > now_ns)
            continue;
        u64 own = e->reached_s ? 4 : 1;
        lots += own;
        if (kl_rand_below(&book->random, lots) < own)
            chosen = e;
    }
    return chosen;
}

bool kl_book_next(struct kl_book *book, kl_multiaddr *out, u64 now_ns)
{
    if (kl_book_due_ns(book) > now_ns)
        return false;
    kl_book_changed(book);
    give_up(book, now_ns);
    struct kl_book_door *door = next_door(book, now_ns);
    if (door) {
        door->dial_ns = now_ns + KL_BOOK_DIAL_NS;
        *out = door->addr;
        return true;
    }
    struct kl_book_entry *e = next_stranger(book, now_ns);
    if (!e)
        return false;
    e->dial_ns = now_ns + KL_BOOK_DIAL_NS;
    *out = book->addrs[e - book->entries][e->turn % e->count];
    out->has_peer = true;
    out->peer = e->id;
    return true;
}

usize kl_book_where(const struct kl_book *book, const kl_peer_id *peer,
                    kl_multiaddr out[KL_BOOK_ADDRS_MAX])
{
    const struct kl_book_entry *e = kl_book_entry_of(book, peer);
    if (!e)
        return 0;
    for (usize i = 0; i < e->count; i++)
        out[i] = book->addrs[e - book->entries][(e->turn + i) % e->count];
    return e->count;
}
