/* What the book's files share. */
#ifndef KL_P2P_BOOK_PRIV_H
#define KL_P2P_BOOK_PRIV_H

#include "p2p/book.h"

/* A peer, without its addresses, so that looking for one touches little memory. */
struct kl_book_entry {
    kl_peer_id id, source;
    u64 seq, met_ns, told_ns, due_ns;
    u64 reached_s; /* when a dial last found it, by the wall clock; 0: never */
    u64 dial_ns;   /* being dialled, until then; 0: not */
    u32 failures;  /* since a connection stayed */
    /* Addresses; how many of them the config names; the next to be dialled. */
    u8 count, fixed, turn;
    bool used, is_friend, is_met, is_outbound;
};

struct kl_book_door {
    kl_multiaddr addr;
    kl_peer_id peer; /* who was there */
    bool is_met;
    u32 failures;
    u64 due_ns, dial_ns, met_ns;
};

struct kl_book {
    kl_book_config config;
    u64 random;
    u64 due_ns; /* of what is due next; 0: to be looked for */
    u32 count, friends, doors;
    struct kl_book_door door[KL_BOOK_DOORS_MAX];
    struct kl_book_entry entries[KL_BOOK_PEERS_MAX];
    kl_multiaddr addrs[KL_BOOK_PEERS_MAX][KL_BOOK_ADDRS_MAX];
};

/* NULL: not in the book. */
struct kl_book_entry *kl_book_entry_of(const struct kl_book *book, const kl_peer_id *peer);
/* NULL: the book is full, of better ones. */
struct kl_book_entry *kl_book_add(struct kl_book *book, const kl_peer_id *peer,
                                  const kl_peer_id *source, u64 now_ns);
void kl_book_forget(struct kl_book *book, struct kl_book_entry *e);

static inline bool kl_book_may_go(const struct kl_book_entry *e)
{
    return e->used && !e->is_friend && !e->is_met && !e->dial_ns;
}

/* What is due next is to be looked for again. */
static inline void kl_book_changed(struct kl_book *book)
{
    book->due_ns = 0;
}

/* A stranger of a file. */
bool kl_book_recall(struct kl_book *book, const kl_peer_id *source, const kl_peer_record *record,
                    u64 reached_s, u64 now_ns);

#endif
