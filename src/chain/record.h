/* record: what the ledger's records say.
 *
 *     genesis  rlp([keccak(file), header of block 0, genesis file])
 *     block    rlp([block hash, block, [sender, …], [stored receipt, …]])
 *     dev      rlp([block number, state root, mark, operation])    root and mark after it
 *     voted    rlp([block hash, block, [sender, …], [stored receipt, …], consensus header,
 *                   next validators]) ‖ finalization    of a chain whose validators vote
 *
 * The hashes say nothing that does not follow from the rest; they bind what no root does, so that
 * no other file, header or operation can stand in a record's place.
 *
 * docs/formats/ledger.md draws every field.  A record of our own ledger is judged like bytes from
 * outside: disks lie. */
#ifndef KL_CHAIN_RECORD_H
#define KL_CHAIN_RECORD_H

#include "base/buf.h"
#include "cert/cert.h"
#include "chain/devop.h"
#include "types/types.h"

typedef enum kl_record_kind {
    KL_RECORD_GENESIS = 1,
    KL_RECORD_BLOCK = 2,
    KL_RECORD_DEV = 3,
    KL_RECORD_VOTED = 4,
} kl_record_kind;

/* Encoders write at the end of out; out->failed afterwards says that there was no room. */
void kl_record_put_genesis(struct kl_buf *out, const kl_header *header, kl_span text);
void kl_record_put_block(struct kl_buf *out, const kl_block *block, const kl_receipt *receipts);
/* The record without its finalization, which goes behind it.  next_set: of the next epoch, when the
 * block is the last of its own; else NULL. */
void kl_record_put_voted(struct kl_buf *out, const kl_block *block, const kl_receipt *receipts,
                         const kl_consensus_header *header, const kl_valset *next_set);
/* What an operation comes to. */
typedef struct kl_dev_outcome {
    u64 block_number; /* of the head */
    kl_hash state_root;
    kl_hash mark; /* kl_dev_mark */
} kl_dev_outcome;

/* keccak(version u64 ‖ rlp(dev environment after the operation) ‖ rlp(operation without its code) ‖
 * code) */
kl_hash kl_dev_mark(u64 version, const kl_dev_env *env, const kl_devop *op);

void kl_record_put_dev(struct kl_buf *out, const kl_dev_outcome *outcome, const kl_devop *op);

/* LEDGER_HASH when the file is not the one whose hash stands beside it. */
kl_rule kl_record_genesis(kl_span payload, kl_header *header, kl_span *text);
kl_rule kl_record_dev(kl_span payload, kl_dev_outcome *outcome, kl_devop *op);

/* A block's record in parts; nothing inside is decoded yet. */
typedef struct kl_block_record {
    kl_hash hash;     /* as stored */
    kl_span block;    /* its RLP */
    kl_span senders;  /* the RLP of the list */
    kl_span receipts; /* the RLP of the list */
    /* Of KL_RECORD_VOTED; empty in others. */
    kl_span consensus;    /* RLP of the consensus header */
    kl_span next_set;     /* RLP of the next epoch's set; empty: the epoch goes on */
    kl_span finalization; /* RLP of a certificate; empty: final through a later block */
} kl_block_record;
/* Of the kinds KL_RECORD_BLOCK and KL_RECORD_VOTED; LEDGER_KIND for another. */
kl_rule kl_record_block(u8 kind, kl_span payload, kl_block_record *out);

/* The header alone, of a genesis or a block's record; LEDGER_KIND for another. */
kl_rule kl_record_header(u8 kind, kl_span payload, kl_header *out);

/* The block with its senders as stored, and its receipts, in the arena.  Receipts get their blooms
 * back.  LEDGER_HASH for another block's hash, LEDGER_RECEIPT where the gas does not add up.
 * receipts NULL: they are not wanted. */
KL_MUST_USE kl_status kl_record_open(const kl_block_record *record, const kl_spec *spec,
                                     struct kl_arena *arena, kl_block *block,
                                     const kl_receipt **receipts, kl_rule *broken);

#endif
