/* pin: a block that a chain must contain, by number and hash: what a person calls the checkpoint of
 * a node that joins.  Keys of validators that are long gone can sign a second history from the
 * genesis on; whoever knows one block of the first, from a source of their own, is not deceived.
 * (Not the checkpoint of checkpoint.h, a state in a file.)
 *
 * As text "NUMBER:HASH", as 1000:0x5c…, with 64 digits. */
#ifndef KL_CHAIN_PIN_H
#define KL_CHAIN_PIN_H

#include "base/hash.h"
#include "base/rule.h"

typedef struct kl_pin {
    u64 number; /* 0: there is none; the genesis is told by its file */
    kl_hash hash;
} kl_pin;

enum { KL_PIN_TEXT_MAX = 20 + 1 + 66 + 1 };

/* PIN_FORM. */
KL_MUST_USE kl_rule kl_pin_parse(kl_pin *out, kl_span text);
void kl_pin_text(char out[KL_PIN_TEXT_MAX], const kl_pin *pin);

/* Does the chain that has this block lack the pinned one? */
bool kl_pin_excludes(const kl_pin *pin, u64 number, const kl_hash *hash);

#endif
