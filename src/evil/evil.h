/* evil: a peer that means harm, made of Keel's own parts, for tests: `keel-evil ATTACK`.
 *
 * An attack is a row of attack.def: how far a connection behaves well, what it does from there on,
 * and by which rule a node that holds its own ends it.  The program dials a node as often as it is
 * allowed to, attacks it on every connection, and says at the end what became of them.
 *
 * How much harm it may do is bounded from outside: dials and steps a second, connections, and the
 * share of one processor it takes.  Thread: one. */
#ifndef KL_EVIL_EVIL_H
#define KL_EVIL_EVIL_H

#include "base/status.h"
#include "cert/cert.h"
#include "p2p/peer_id.h"

enum {
    KL_EVIL_HOST_MAX = 64,
    KL_EVIL_WIRES_MAX = 16384,
    KL_EVIL_TARGETS_MAX = 8,
};

typedef struct kl_evil_target {
    char host[KL_EVIL_HOST_MAX]; /* a numeric address */
    u16 port;
    kl_peer_id id;
} kl_evil_target;

typedef struct kl_evil_config {
    kl_evil_target targets[KL_EVIL_TARGETS_MAX]; /* connections go to them in turn */
    u32 target_count;
    char digest[9]; /* of its network: 8 digits of the genesis' hash */
    u64 chain_id;
    const kl_vote_scheme *scheme;
    bool has_identity; /* else everybody is somebody new */
    kl_secret32 identity;
    bool has_vote_key; /* a validator's, as whom it signs votes of the chain that genesis begins */
    kl_secret32 vote_key;
    u32 signer;
    kl_hash genesis;
    kl_secret32 randao_key; /* of the same validator; and the genesis file: for who leads */
    kl_span genesis_text;
    bool has_key; /* of an account with funds */
    kl_secret32 key;
    u64 duration_ns;
    u64 step_rate, dial_rate; /* a second; 0: as many as can be */
    u32 wires;                /* connections at once; 0: the attack's own number */
    u8 from[4];               /* they come from this IPv4 address, and those behind it, in turn */
    u32 from_count;           /* so many; 0: from any */
    u32 cpu_percent;          /* of one processor; 0: all of it */
} kl_evil_config;

/* Of connections: those that were not taken or ended before they got as far as the attack needs,
 * those that did, and of these the ones that the target ended. */
typedef struct kl_evil_report {
    u64 dials, refused, reached, dropped;
    u64 steps, bytes_out, bytes_in;
    u64 heard;     /* frames of the target */
    u64 certified; /* blocks that were proposed, and that certificates named */
    u64 cpu_ns;
} kl_evil_report;

struct evil_attack;

/* NULL: no attack has this name. */
const struct evil_attack *kl_evil_find(const char *name);
/* The i-th; NULL behind the last. */
const struct evil_attack *kl_evil_at(usize i);
bool kl_evil_votes(const struct evil_attack *attack); /* it needs a validator's key */
bool kl_evil_leads(const struct evil_attack *attack); /* it proposes blocks with that */
u32 kl_evil_wires(const struct evil_attack *attack);  /* connections at once */
/* Static text; the rule is the one by which it is dropped or, if it leads, its blocks are refused,
 * or one of several ("A|B"), or how they begin: "" when that is not to be; then there is a why. */
const char *kl_evil_name(const struct evil_attack *attack);
const char *kl_evil_rule(const struct evil_attack *attack);
const char *kl_evil_why(const struct evil_attack *attack);
const char *kl_evil_text(const struct evil_attack *attack);

/* KL_NOMEM, KL_LIMIT (descriptors), KL_UNSUPPORTED (the attack needs an identity, or a key). */
KL_MUST_USE kl_status kl_evil_run(kl_evil_report *out, const kl_evil_config *config,
                                  const struct evil_attack *attack);

#endif
