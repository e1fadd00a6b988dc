/* state_twin: a state beside a twin that keeps a map for every version, for the tests. */
#ifndef KL_STATE_STATE_TWIN_H
#define KL_STATE_STATE_TWIN_H

#include "state/fault_kv.h"
#include "state/state.h"

struct kl_sim_disk;

enum { KEYS = 48, NODES = 600, VERSIONS = 1200, VIEWS = 10 };

/* Values are made from numbers; 0 is no value. */
struct map {
    u32 value[KEYS];
};

struct key {
    kl_table table;
    u8 bytes[72];
    usize len;
};

/* A step: in memory, flushed or lost. */
struct node {
    struct kl_delta *delta;
    int parent; /* -1: on the database */
    u64 version;
    bool flushed;
    struct map map;
};

struct open_view {
    struct kl_view *view;
    u64 version;
    bool old;
    struct map map;
};

struct twin {
    struct kl_sim_disk *disk;
    struct kl_kv *store, *store_before; /* before the newest commit */
    struct fault_kv kv;
    struct kl_state *state;
    bool no_history;
    usize seal;            /* see struct kl_history */
    struct key keys[KEYS]; /* sorted by table and key */
    struct node nodes[NODES];
    int node_count;
    struct map chain[VERSIONS]; /* what each flushed version holds */
    u64 next, next_before;      /* versions flushed, and before the newest commit */
    u64 oldest;                 /* below it versions may be gone */
    struct open_view views[VIEWS];
    u32 last_value;
};
extern struct twin twin;

/* An empty state; without history it keeps none. */
void twin_begin(u64 *seed, bool no_history);
void twin_end(void);
/* Opens the state over what store and disk hold; closes it with all views and deltas. */
void twin_open(void);
void twin_close(void);

kl_span twin_key(usize i);
kl_span twin_value(u32 n); /* lives until the next call */

void twin_check_key(struct kl_view *view, const struct map *map, usize i);
/* Checks some or all keys and a scan. */
void twin_check_view(u64 *seed, const struct open_view *v, bool all);

/* Nodes by number; -1 is the database. */
int twin_random_node(u64 *seed);
/* Does the node stand on what the database holds, or is it a part of it? */
bool twin_is_good(int n);
const struct map *twin_map_of(int n);
u64 twin_version_after(int n);
/* Of an older version of the node's branch. */
const struct map *twin_map_at(int n, u64 version);
void twin_add_node(int parent, struct kl_delta *delta, const struct map *map);

/* Makes a node with random changes. */
void twin_extend(u64 *seed);

/* Flushes; the twin learns what happened from the state, also when the status is a failure. */
kl_status twin_flush(int tip);
/* The twin learns that the database has come to node tip. */
void twin_note_flushed(int tip);

/* After a restart: is the database where it was, and is every version that is served right? */
void twin_check_reopened(u64 *seed);
void twin_reopen(u64 *seed);
/* The database as it was before its newest commit; the state is closed. */
void twin_lose_commit(void);

#endif
