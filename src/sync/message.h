/* message: what nodes of a chain whose validators vote say to one another.
 *
 * One message is one frame: a byte that says what it is, and RLP.  docs/formats/wire.md draws every
 * field.  Everything is judged when it is read: lengths, counts and form before anything else; what
 * a signature is worth is for whoever knows the validators.  How frames travel, whole and in order,
 * is the transport's business. */
#ifndef KL_SYNC_MESSAGE_H
#define KL_SYNC_MESSAGE_H

#include "base/buf.h"
#include "cert/cert.h"
#include "sync/compact.h"
#include "trie/trie.h"

typedef enum kl_message_kind {
    KL_MESSAGE_VOTE = 1,             /* vote */
    KL_MESSAGE_PROPOSAL = 2,         /* vote: the leader's notarize; body */
    KL_MESSAGE_CERTIFICATE = 3,      /* certificate */
    KL_MESSAGE_EVIDENCE = 4,         /* evidence */
    KL_MESSAGE_ASK_CERTIFICATES = 5, /* epoch, from, to: views */
    KL_MESSAGE_ASK_BODY = 6,         /* hash */
    KL_MESSAGE_BODY = 7,             /* body */
    KL_MESSAGE_ASK_BLOCKS = 8,       /* from, to: heights */
    KL_MESSAGE_BLOCKS = 9, /* from, blocks (none: nothing of that is here), headers, finalization */
    KL_MESSAGE_STATUS = 10,           /* from: the height of the newest final block */
    KL_MESSAGE_TRANSACTIONS = 11,     /* transactions */
    KL_MESSAGE_ASK_RECORDS = 12,      /* from, to: heights */
    KL_MESSAGE_RECORDS = 13,          /* as BLOCKS; a body is a ledger record here */
    KL_MESSAGE_ASK_STATE = 14,        /* from: the height; has_owner, hash: whose; first */
    KL_MESSAGE_STATE = 15,            /* the same; leaves, nodes (neither: that is not here) */
    KL_MESSAGE_ASK_CODE = 16,         /* hash */
    KL_MESSAGE_CODE = 17,             /* body */
    KL_MESSAGE_COMPACT = 18,          /* vote: the leader's notarize; compact, given */
    KL_MESSAGE_ASK_TRANSACTIONS = 19, /* hash, places */
    KL_MESSAGE_TRANSACTIONS_OF = 20,  /* hash, given */
    KL_MESSAGE_LAST = KL_MESSAGE_TRANSACTIONS_OF,
} kl_message_kind;

/* What a message travels with.  Nothing waits for what is in another stream. */
typedef enum kl_message_stream {
    KL_STREAM_BFT, /* before everything else */
    KL_STREAM_PROPOSAL,
    KL_STREAM_TX,
    KL_STREAM_SYNC,
    KL_STREAM_COUNT,
} kl_message_stream;
kl_message_stream kl_message_stream_of(kl_message_kind kind);

enum {
    KL_MESSAGE_BLOCKS_MAX = 256,         /* of one message */
    KL_MESSAGE_HEADERS_MAX = 4096,       /* of one message */
    KL_MESSAGE_TRANSACTIONS_MAX = 1024,  /* of one message */
    KL_MESSAGE_TRANSACTION_MAX = 131072, /* bytes of an envelope that travels by itself */
    KL_MESSAGE_LEAVES_MAX = 4096,        /* of one message */
    KL_MESSAGE_NODES_MAX = 130,          /* of one message: the ways to the two ends of a range */
};
/* Bytes of one message, of any kind: a body, or blocks and transactions in the number that fits. */
#define KL_MESSAGE_MAX      (KL_MESSAGE_BODY_MAX + KL_CERTIFICATE_RLP_MAX + 1024u)
#define KL_MESSAGE_BODY_MAX (8388608u + 1024u)
/* Of one in KL_STREAM_BFT, for whoever carries it: more than a certificate of as many validators as
 * there may be, or a question for every transaction of a block, takes. */
#define KL_MESSAGE_BFT_MAX ((usize)4 << 20)
_Static_assert(KL_MESSAGE_BFT_MAX > KL_CERTIFICATE_RLP_MAX + 1024, "");
_Static_assert(KL_MESSAGE_BFT_MAX > 6 * KL_COMPACT_MAX, "");

/* A final block: its body and, unless it is final through a later one, its Finalization. */
typedef struct kl_message_block {
    kl_span body;
    kl_span finalization; /* RLP of a certificate; may be empty */
} kl_message_block;

/* A transaction of a block, by its place. */
typedef struct kl_message_tx {
    u32 place;
    kl_span envelope;
} kl_message_tx;

typedef struct kl_message {
    kl_message_kind kind;
    kl_vote vote;
    kl_certificate certificate; /* views the frame */
    kl_evidence evidence;
    kl_span body;
    kl_hash hash;
    u64 epoch, from, to;
    /* Of BLOCKS: where the last block is final through a later one, the headers behind it up to
     * that one, and its Finalization. */
    const kl_message_block *blocks;
    const kl_span *headers; /* RLP */
    usize block_count, header_count;
    kl_span finalization;        /* RLP of a certificate; may be empty */
    const kl_span *transactions; /* of TRANSACTIONS: envelopes */
    usize transaction_count;
    /* Of STATE: leaves of the account trie, or of an owner's storage, from key first on. */
    bool has_owner;
    kl_hash first;
    const kl_trie_change *leaves;
    const kl_span *nodes;
    usize leaf_count, node_count;
    kl_compact compact;
    const kl_message_tx *given; /* of COMPACT and TRANSACTIONS_OF; places rise */
    const u32 *places;          /* of ASK_TRANSACTIONS; they rise */
    usize given_count, place_count;
} kl_message;

/* Appends one frame to out, which fails when it would be above KL_MESSAGE_MAX. */
void kl_message_encode(struct kl_buf *out, const kl_message *message, const kl_vote_scheme *scheme);

/* Lists lie in the arena, everything else views the frame.  *broken: the RLP_ rows, what votes,
 * certificates and evidence say of themselves, MESSAGE_KIND, MESSAGE_SIZE (too long, or too many
 * entries), MESSAGE_RANGE (from above to, or an epoch or height that cannot be).  KL_NOMEM. */
KL_MUST_USE kl_status kl_message_decode(kl_message *out, kl_span frame,
                                        const kl_vote_scheme *scheme, struct kl_arena *arena,
                                        kl_rule *broken);

#endif
