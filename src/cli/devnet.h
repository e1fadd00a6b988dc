/* devnet: what the files of keel devnet share.
 *
 *   devnet.c         the command; making the network, running it, ending it
 *   devnet_child.c   nodes as processes
 *   devnet_words.c   what they say, in lines
 *   devnet_table.c   what they are at, asked by RPC
 *   devnet_screen.c  the log, and the table below it
 *   devnet_desk.c    what a second terminal asks for
 *   devnet_proxy.c   the network between them
 *   devnet_pipe.c    one direction of a connection in it
 *
 * One thread, over one loop. */
#ifndef KL_CLI_DEVNET_H
#define KL_CLI_DEVNET_H

#include <sys/types.h>

#include "base/buf.h"
#include "cli/bench_http.h"
#include "cli/devnet_proxy.h"
#include "node/net.h"
#include "sys/loop.h"

enum {
    KL_DEVNET_PATH_MAX = 4096,
    KL_DEVNET_LINE_MAX = 8192,
    KL_DEVNET_CLIENTS_MAX = 8,
    KL_DEVNET_WHY_MAX = 700,
};

struct kl_devnet;

struct kl_devnet_options {
    const char *dir;
    u64 count, base_port, block_time_ns, delta_ms, chain_id;
    bool no_proxy;
};

struct kl_devnet_child {
    struct kl_devnet *devnet;
    u32 index;
    pid_t pid; /* 0: it does not run */
    bool stopped;
    bool wanted; /* it is to be started again when it has ended */
    char peer_id[KL_BASE58_TEXT_MAX];
    struct kl_watch out; /* fd -1: none */
    char line[KL_DEVNET_LINE_MAX];
    usize len;
};

/* What a node said of itself. */
typedef struct kl_devnet_row {
    bool answers, signs, stalled;
    u64 height, epoch, view, peers;
    char why[KL_DEVNET_WHY_MAX];
    char health[80];
} kl_devnet_row;

struct kl_devnet_asker {
    struct kl_devnet *devnet;
    struct kl_bench_conn conn;
    struct kl_buf request;
    bool open, asking;
    kl_devnet_row row;
};

struct kl_devnet_client {
    struct kl_devnet *devnet;
    struct kl_watch watch; /* fd -1: nobody */
    char line[256];
    usize len;
    bool waits; /* for the table */
};

struct kl_devnet {
    struct kl_devnet_options options;
    char self[KL_DEVNET_PATH_MAX]; /* this program */
    struct kl_loop *loop;
    u32 count;
    bool stopping;
    struct kl_devnet_child children[KL_DEVNET_NODES_MAX];

    /* The log; a block is told of by whoever says it first. */
    u64 told_block;
    u32 told_by;

    /* The table. */
    struct kl_devnet_asker askers[KL_DEVNET_NODES_MAX];
    struct kl_timer round_timer;
    u32 open_questions;

    /* The screen. */
    bool is_terminal, has_colour;
    struct kl_buf log; /* not yet written */
    u32 shown_rows;    /* of the table, below the log */
    bool stale;        /* the table has changed */
    u64 printed_ns;    /* where it is no terminal */

    /* The desk. */
    struct kl_watch desk;
    struct kl_devnet_client clients[KL_DEVNET_CLIENTS_MAX];

    struct kl_devnet_proxy *proxy; /* NULL: nodes reach one another directly */
    u32 cut_off;                   /* nodes, by bits; 0: nobody */
    bool one_way;
    u64 latency_ms, loss_percent;
    char network[300]; /* what it does, for people; "" */
};

/* devnet_child.c */
bool kl_devnet_child_start(struct kl_devnet *d, u32 i);
void kl_devnet_child_signal(struct kl_devnet *d, u32 i, int number);
/* Starts it again, when it has ended. */
void kl_devnet_child_restart(struct kl_devnet *d, u32 i);
/* Who has ended is noticed. */
void kl_devnet_children_reap(struct kl_devnet *d);
u32 kl_devnet_children_alive(const struct kl_devnet *d);
/* Where the peers of a node find it. */
u16 kl_devnet_peer_port(const struct kl_devnet *d, u32 i);

/* devnet_words.c: a line of a node, as JSON or as it is. */
void kl_devnet_words(struct kl_devnet *d, u32 i, const char *line);
void kl_devnet_say(struct kl_devnet *d, u32 i, const char *format, ...) KL_PRINTF(3, 4);

/* devnet_table.c */
void kl_devnet_table_open(struct kl_devnet *d);
void kl_devnet_table_close(struct kl_devnet *d);
/* Asks everybody; those who wait for the table are answered when all have, or their time is up. */
void kl_devnet_table_ask(struct kl_devnet *d);
/* In lines, the last one ended too. */
void kl_devnet_table_print(struct kl_devnet *d, struct kl_buf *out);

/* devnet_screen.c */
void kl_devnet_screen_open(struct kl_devnet *d);
/* Writes what was said since, and the table where it has changed. */
void kl_devnet_screen_show(struct kl_devnet *d);
/* Lines for a screen of so many columns; gives how many.  One that is wider goes on in the next,
 * from a blank on where there is one: what stands last in it, who is silent, is what matters. */
u32 kl_devnet_fold(struct kl_buf *out, kl_span text, usize columns);
void kl_devnet_screen_close(struct kl_devnet *d);

/* devnet_desk.c: KL_BUSY when another devnet runs in the folder. */
KL_MUST_USE kl_status kl_devnet_desk_open(struct kl_devnet *d);
void kl_devnet_desk_close(struct kl_devnet *d);
void kl_devnet_desk_table(struct kl_devnet *d); /* the table is there */
/* The second terminal: words are the order; the exit code. */
int kl_devnet_order(const char *dir, const char *words);

#endif
